// The sections of the page of `images inspect --html`, from what was gathered. Pure.
#pragma once
#include "commands/html_page.h"
#include "commands/inspection.h"
#include "images/retention.h"

namespace ckpt {

/// One checkpoint of the container's, or what is to become one.
struct Taken {
  StoredImage stored;
  std::optional<Manifest> manifest;  ///< nullopt: incomplete, or it cannot be read
  bool shown = false;                ///< the page is about it
};

/// What a failed checkpoint or restore left.
struct FailureLog {
  std::string what;     ///< checkpoint, restore
  std::string written;  ///< RFC 3339 UTC
  std::string cause;    ///< the log's line; empty: none that is known
  std::string meaning;
  std::string path;
};

struct History {
  std::vector<Taken> taken;  ///< oldest first
  std::vector<FailureLog> failures;
  std::string failures_directory;
};

/// The checkpoint before this one, read.
struct Before {
  std::optional<Inspection> inspection;
  std::string unread;  ///< why not; empty with no inspection: there is none
};

HtmlSection memory_section(const Inspection& inspection);
/// For an image with contents; of what is too long for a page, the sum.
HtmlTable mapping_table(const Inspection& inspection);
HtmlSection timeline_section(const History& history);
HtmlSection changes_section(const Before& before, const Inspection& now);
/// Open files, sockets, mounts, the checkpoint's files, and mappings.
HtmlSection contents_section(const Inspection& inspection);

}  // namespace ckpt
