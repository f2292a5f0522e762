#include "tools/complaint.h"

#include <fmt/format.h>

#include "app/device_string.h"
#include "base/text.h"

namespace usbtwin::tools {
namespace {

// What comes of `text` before or behind the first `mark`; all of it where there is none.
std::string Before(const std::string& text, std::string_view mark) {
  return text.substr(0, text.find(mark));
}
std::string Behind(const std::string& text, std::string_view mark) {
  const size_t place = text.find(mark);
  return place == std::string::npos ? text : text.substr(place + mark.size());
}

std::string Missing(const std::string& text) {
  const std::string name = Before(text, " is required");
  if (name == "--device") {
    return std::string("no device: name one with -d; ") + app::DeviceStringHint();
  }
  if (name == "A subcommand") return "no verb: name what is to be done";
  return name + " is missing";
}

}  // namespace

CLI::Validator NumberFrom(double low, double high) {
  const auto check = [low, high](const std::string& text) {
    double number = 0;
    const bool is_number = CLI::detail::lexical_cast(text, number);
    if (is_number && number >= low && number <= high) return std::string();
    return fmt::format("must be {:.10g} to {:.10g}, and not {}", low, high, Quote(text));
  };
  return {check, ""};
}

CLI::Validator OneOf(std::vector<std::string> names) {
  const auto check = [names = std::move(names)](const std::string& text) {
    std::string list;
    for (size_t index = 0; index < names.size(); ++index) {
      if (text == names[index]) return std::string();
      if (index != 0) list += index + 1 == names.size() ? " or " : ", ";
      list += names[index];
    }
    return "must be " + list + ", and not " + Quote(text);
  };
  return {check, ""};
}

std::string Complaint(const CLI::ParseError& error) {
  const std::string text = error.what();
  const auto code = static_cast<CLI::ExitCodes>(error.get_exit_code());
  if (code == CLI::ExitCodes::ExtrasError) {
    const std::vector<std::string> words = CLI::detail::split(Behind(text, "expected: "), ' ');
    return Quote(words.back()) + " is no option or argument here";
  }
  if (code == CLI::ExitCodes::RequiredError) return Missing(text);
  if (code == CLI::ExitCodes::ValidationError) return Before(text, ": ") + " " + Behind(text, ": ");
  if (code == CLI::ExitCodes::ExcludesError) {
    return Before(text, " excludes ") + " and " + Behind(text, " excludes ") +
           " contradict each other: give one of them";
  }
  if (code == CLI::ExitCodes::ArgumentMismatch) {
    const std::string option = Before(text, ":");
    constexpr std::string_view kOverride = " was given a disallowed flag override";
    if (option.ends_with(kOverride)) {
      const std::string name = Before(option, kOverride);
      return (name.size() == 1 ? "-" : "--") + name + " takes no value";
    }
    if (text.find("received") == std::string::npos) return option + " needs a value behind it";
    return option + " is given more than once: give it once";
  }
  if (code == CLI::ExitCodes::ConversionError) {
    const std::string option = Before(Behind(text, ": "), " = ");
    return option + " does not take the value " + Quote(Behind(text, " = "));
  }
  return text;
}

std::optional<std::string> EmptyValue(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() == 0 || option->get_expected_max() == 0) continue;
    for (const std::string& value : option->results()) {
      if (value.empty()) return option->get_name() + " is empty: give it a value, or leave it out";
    }
  }
  return std::nullopt;
}

std::optional<std::string> EmptyValue(int argc, const char* const* argv) {
  for (int index = 1; index < argc; ++index) {
    const std::string_view word = argv[index];
    if (word == "--") break;
    if (word.size() < 4 || !word.starts_with("--") || word.find('=') != word.size() - 1) continue;
    const std::string name(word.substr(0, word.size() - 1));
    return name + " is empty: give it a value, or leave it out";
  }
  return std::nullopt;
}

bool IsRepetition(const CLI::ParseError& error) {
  return static_cast<CLI::ExitCodes>(error.get_exit_code()) == CLI::ExitCodes::ArgumentMismatch &&
         std::string_view(error.what()).find("received") != std::string_view::npos;
}

bool WantsJson(int argc, const char* const* argv) {
  for (int index = 1; index < argc; ++index) {
    const std::string_view word = argv[index];
    if (word == "--") return false;
    if (word == "--json") return true;
  }
  return false;
}

}  // namespace usbtwin::tools
