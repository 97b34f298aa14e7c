// One verb on several containers: each on its own.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "runtimes/error.h"

namespace ckpt {

/// Does `one` with each. What fails keeps none of the others from it, except an interrupt. Throws the first
/// failure, with the messages of the others behind its own.
inline void each_on_its_own(const std::vector<std::string>& names,
                            const std::function<void(const std::string&)>& one) {
  std::optional<Error> failed;
  for (const std::string& name : names) {
    try {
      one(name);
    } catch (const Error& error) {
      if (failed)
        failed->message += "; " + error.message;
      else
        failed = error;
      if (error.code == ErrorCode::interrupted) break;
    }
  }
  if (failed) throw *failed;
}

}  // namespace ckpt
