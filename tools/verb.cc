#include "tools/verb.h"

#include "os/console.h"
#include "tools/exit_status.h"

namespace usbtwin::tools {

int Fail(const char* verb, const app::Failure& failure) {
  std::string text = "usbtwin ";
  text.append(verb).append(": ").append(failure.text);
  if (!text.ends_with('\n')) text += '\n';
  os::PrintError(text);
  return ExitStatus(ExitTable::kPlain, failure.kind);
}

}  // namespace usbtwin::tools
