// ckpt completion bash|zsh|fish: prints the script.
#include "cli/completion.h"

#include "commands/options.h"

namespace ckpt {
namespace {

std::string script_for(const std::string& shell, const CommandForm& form) {
  if (shell == "bash") return bash_completion(form);
  return shell == "zsh" ? zsh_completion(form) : fish_completion(form);
}

}  // namespace

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

Action declare_completion(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  app.add_option("SHELL", *shell, "bash, zsh or fish")->required()->check(one_of({"bash", "zsh", "fish"}));
  return [shell, &app](Context& context) {
    context.out.raw(script_for(*shell, form_of(*app.get_parent())));
    return 0;
  };
}

}  // namespace ckpt
