// One JSON document of a command that does the same with several containers.
#pragma once
#include <nlohmann/json.hpp>

#include "commands/output.h"

namespace ckpt {

/// Passes everything on but documents, which it keeps: one after the other, and what is an array by its
/// elements.
class Gathered : public Output {
 public:
  explicit Gathered(Output& out) : out_(out) {}
  void line(const std::string& text) override { out_.line(text); }
  void document(const nlohmann::json& document) override {
    if (document.is_array())
      documents_.insert(documents_.end(), document.begin(), document.end());
    else
      documents_.push_back(document);
  }
  void warn(const std::string& text) override { out_.warn(text); }
  void note(const std::string& text) override { out_.note(text); }
  void detail(const std::string& text) override { out_.detail(text); }
  void table(const std::vector<std::string>& heading,
             const std::vector<std::vector<std::string>>& rows) override {
    out_.table(heading, rows);
  }
  void raw(const std::string& bytes) override { out_.raw(bytes); }

  const nlohmann::json& documents() const { return documents_; }

 private:
  Output& out_;
  nlohmann::json documents_ = nlohmann::json::array();
};

}  // namespace ckpt
