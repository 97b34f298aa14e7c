// Command lines of skopeo and rclone, and what they say.
#include "images/far_store.h"

#include <algorithm>
#include <sstream>

#include "runtimes/error.h"
#include "runtimes/fs.h"
#include "runtimes/json.h"

namespace ckpt {
namespace {

using nlohmann::json;

constexpr std::string_view kOci = "oci:", kDocker = "docker://", kRclone = "rclone:";

[[noreturn]] void no_place(const std::string& text, const std::string& why) {
  throw Error(ErrorCode::usage, fmt::format("'{}' {}", text, why))
      .with_hint("write oci:DIR[:TAG], docker://REGISTRY/NAME:TAG or rclone:REMOTE:PATH");
}

FarPlace oci_place(const std::string& text) {
  const std::string rest = text.substr(kOci.size());
  const std::size_t colon = rest.find(':');
  if (rest.empty() || colon == 0) no_place(text, "names no directory");
  const std::string tag = colon == std::string::npos ? "" : rest.substr(colon);
  const std::string whole = std::string(kOci) + absolute_path(rest.substr(0, colon)).string() + tag;
  return {whole, "skopeo", whole};
}

FarPlace rclone_place(const std::string& text) {
  std::string name = text.substr(kRclone.size());
  while (name.ends_with('/')) name.pop_back();
  const std::size_t colon = name.rfind(':');
  if (colon == std::string::npos || colon == 0 || name.starts_with('-'))
    no_place(text, "names no remote of rclone's");
  if (colon + 1 == name.size()) no_place(text, "names no path on the remote");
  return {std::string(kRclone) + name, "rclone", name};
}

void append(Argv& to, const Argv& more) {
  to.insert(to.end(), more.begin(), more.end());
}

Argv skopeo(const char* verb, const Argv& own, const FarOptions& o, const std::string& tls,
            const Argv& operands) {
  Argv args = {verb};
  append(args, own);
  if (o.authfile) append(args, {"--authfile", *o.authfile});
  if (!o.tls_verify) args.push_back(tls + "=false");
  append(args, operands);
  return args;
}

Argv rclone(const char* verb, const Argv& own, const FarOptions& o, const Argv& operands) {
  Argv args = {verb, "--ask-password=false", "--use-json-log"};
  if (o.rclone_config) append(args, {"--config", *o.rclone_config});
  if (!o.tls_verify) args.emplace_back("--no-check-certificate");
  append(args, own);
  append(args, operands);
  return args;
}

/// Files of `list`, with a line of how far it is every half second.
Argv copied(const std::string& list) {
  return {"--files-from-raw", list, "--stats", "500ms", "--stats-log-level", "NOTICE"};
}

struct Said {
  bool error = false;
  std::string text;
};

/// `time="…" level=fatal msg="text"`
Said said_by_skopeo(const std::string& line) {
  const std::size_t at = line.find(" msg=\"");
  const bool error =
      line.find(" level=fatal") != std::string::npos || line.find(" level=error") != std::string::npos;
  std::string text = line.substr(at + 6);
  if (text.ends_with('"')) text.pop_back();
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    plain += text[i];
  }
  return {error, plain};
}

Said said_by_rclone(const json& entry) {
  const std::string level = entry.value("level", "");
  const std::string object = entry.value("object", "");
  return {level == "error" || level == "fatal" || level == "critical",
          (object.empty() ? "" : object + ": ") + entry.value("msg", "")};
}

/// "2026/11/22 17:51:04 Failed to copy: …"
std::string without_time(const std::string& line) {
  constexpr std::size_t kLength = 20;
  return line.size() > kLength && line[4] == '/' && line[7] == '/' && line[kLength - 1] == ' '
             ? line.substr(kLength)
             : line;
}

Said said_in(const std::string& line) {
  if (line.starts_with("time=") && line.find(" msg=\"") != std::string::npos) return said_by_skopeo(line);
  const json entry = line.starts_with('{') ? parse_json(line) : json();
  try {
    if (entry.is_object() && entry.contains("msg")) return said_by_rclone(entry);
  } catch (const json::exception&) {
    return {false, line};
  }
  const std::string plain = without_time(line);
  return {plain.starts_with("Failed"), plain};
}

/// One line that a terminal shows as it is.
std::string shown(std::string text) {
  constexpr std::size_t kMost = 400;
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == 127) c = ' ';
  text.resize(std::min(text.size(), kMost));
  const std::size_t begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

}  // namespace

bool is_far(std::string_view text) {
  return text.starts_with(kOci) || text.starts_with("docker:") || text.starts_with(kRclone);
}

FarPlace far_place(const std::string& text) {
  if (text.starts_with(kOci)) return oci_place(text);
  if (text.starts_with(kRclone)) return rclone_place(text);
  if (!text.starts_with(kDocker)) no_place(text, "is no place that ckpt can reach");
  if (text.size() == kDocker.size()) no_place(text, "names no registry");
  return {text, "skopeo", text};
}

std::string expand_place(std::string text, const std::string& id, const std::string& stamp) {
  for (const auto& [mark, value] : {std::pair("{id}", id), std::pair("{time}", stamp)})
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + value.size()))
      text.replace(at, std::string_view(mark).size(), value);
  return text;
}

Argv skopeo_push(const FarOptions& o, const std::string& layout, const FarPlace& to) {
  return skopeo("copy", {"--preserve-digests"}, o, "--dest-tls-verify", {"oci:" + layout, to.name});
}

Argv skopeo_inspect(const FarOptions& o, const FarPlace& from) {
  return skopeo("inspect", {"--raw"}, o, "--tls-verify", {from.name});
}

Argv skopeo_pull(const FarOptions& o, const FarPlace& from, const std::string& layout) {
  // Else skopeo compresses what is not, only for ckpt to unpack it.
  return skopeo("copy", {"--dest-oci-accept-uncompressed-layers"}, o, "--src-tls-verify",
                {from.name, "oci:" + layout});
}

Argv rclone_read(const FarOptions& o, const FarPlace& from, const std::string& file) {
  return rclone("cat", {}, o, {from.name + "/" + file});
}

Argv rclone_list(const FarOptions& o, const FarPlace& place) {
  return rclone("lsf", {"--max-depth", "1"}, o, {place.name});
}

Argv rclone_push(const FarOptions& o, const std::string& list, const std::string& directory,
                 const FarPlace& to) {
  return rclone("copy", copied(list), o, {directory, to.name});
}

Argv rclone_push_file(const FarOptions& o, const std::string& path, const FarPlace& to,
                      const std::string& file) {
  return rclone("copyto", {}, o, {path, to.name + "/" + file});
}

std::string rclone_files(const std::vector<ImageFile>& files) {
  std::string lines;
  for (const ImageFile& one : files) lines += one.path + "\n";
  return lines;
}

Argv rclone_pull(const FarOptions& o, const std::string& list, const FarPlace& from,
                 const std::string& directory) {
  return rclone("copy", copied(list), o, {from.name, directory});
}

std::string far_cause(const std::string& said) {
  std::istringstream lines(said);
  std::string first;
  for (std::string line; std::getline(lines, line);) {
    const Said one = said_in(line);
    if (one.error) return shown(one.text);
    if (first.empty() && !line.starts_with('{')) first = shown(one.text);
  }
  return first;
}

std::optional<std::uint64_t> rclone_bytes(const std::string& line) {
  const json entry = line.starts_with('{') ? parse_json(line) : json();
  if (!entry.is_object() || !entry.contains("stats") || !entry["stats"].is_object()) return std::nullopt;
  const json bytes = entry["stats"].value("bytes", json());
  return bytes.is_number_unsigned() ? std::optional(bytes.get<std::uint64_t>()) : std::nullopt;
}

}  // namespace ckpt
