// What all that uses libarchive in the module shares: owners of its objects, and its failures as text.
#pragma once
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#include <memory>
#include <string>

namespace ckpt {

template <auto free_it>
struct Free {
  template <class T>
  void operator()(T* object) const {
    free_it(object);
  }
};
using Reader = std::unique_ptr<archive, Free<archive_read_free>>;
using Writer = std::unique_ptr<archive, Free<archive_write_free>>;
using Entry = std::unique_ptr<archive_entry, Free<archive_entry_free>>;
using LinkResolver = std::unique_ptr<archive_entry_linkresolver, Free<archive_entry_linkresolver_free>>;

/// Ends the operation; its text is the error that is handed back.
struct Failure {
  std::string text;
  int error = 0;  ///< errno, where a call failed
};

inline std::string errno_words(int error) {
  const char* text = strerrordesc_np(error);
  return text != nullptr ? text : "error " + std::to_string(error);
}

inline void require(int status, archive* a, const std::string& what) {
  if (status >= ARCHIVE_WARN) return;
  const char* why = archive_error_string(a);
  Failure failure{what + ": " + (why != nullptr ? why : "unknown error"), archive_errno(a)};
  // libarchive's words are "Can't create 'x'", mostly without the reason.
  if (const std::string words = errno_words(failure.error);
      failure.error > 0 && failure.text.find(words) == std::string::npos)
    failure.text += ": " + words;
  throw failure;
}

inline void write_bytes(archive* out, const char* data, std::size_t size) {
  while (size > 0) {
    const la_ssize_t n = archive_write_data(out, data, size);
    if (n <= 0) require(ARCHIVE_FATAL, out, "cannot write the archive");
    data += n;
    size -= static_cast<std::size_t>(n);
  }
}

/// Empty when it went well; else errno is that of the call that failed, or 0.
template <class Work>
std::string text_of_failure(const Work& work) {
  try {
    work();
    return "";
  } catch (const Failure& failure) {
    errno = failure.error;
    return failure.text;
  } catch (const std::exception& error) {
    errno = 0;
    return error.what();
  }
}

}  // namespace ckpt
