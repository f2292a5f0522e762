#include "tools/verb.h"

#include "os/console.h"
#include "tools/exit_status.h"
#include "tools/json_text.h"

namespace usbtwin::tools {

int Fail(const std::string& verb, const app::Failure& failure, bool json) {
  const std::string program = verb.empty() ? "usbtwin" : "usbtwin " + verb;
  std::string text = program + ": " + failure.text;
  if (!text.ends_with('\n')) text += '\n';
  os::PrintError(text);
  if (json) (void)os::PrintOutput(FailureJson(program, failure)).has_value();
  return ExitStatus(ExitTable::kPlain, failure.kind);
}

}  // namespace usbtwin::tools
