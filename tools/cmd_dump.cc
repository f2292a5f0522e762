// usbtwin dump: bytes from a file or a pipe as readable lines. It reads; wire/dump.h explains.
#include "os/console.h"
#include "tools/complaint.h"
#include "tools/exit_status.h"
#include "tools/sgraw_options.h"
#include "tools/verb.h"
#include "wire/dump.h"

namespace usbtwin::tools {
namespace {

constexpr uint64_t kInputLengthMax = uint64_t{1} << 30;  // bytes

struct Options {
  std::string path = "-";
  bool hex_input = false;
  std::string kind = "auto";
};

struct Kind {
  const char* name;
  std::string (*dump)(Bytes);
};
constexpr std::array<Kind, 11> kKinds{{
    {"auto", wire::Dump},
    {"setup", wire::DumpSetup},
    {"descriptors", wire::DumpDescriptors},
    {"cbw", wire::DumpCommandWrapper},
    {"csw", wire::DumpStatusWrapper},
    {"cdb", wire::DumpCdb},
    {"sense", wire::DumpSense},
    {"inquiry", wire::DumpInquiry},
    {"usbmon", wire::DumpUsbmon},
    {"capture", wire::DumpCapture},
    {"usbip", wire::DumpUsbip},
}};

int RunDump(const Options& options) {
  const os::InputRequest request{
      .path = options.path, .skip = 0, .length = std::nullopt, .length_max = kInputLengthMax};
  Result<std::vector<uint8_t>, app::Failure> bytes = os::ReadInput(request);
  if (!bytes) return Fail("dump", bytes.error());
  const std::string name = options.path == "-" ? "standard input" : options.path;
  if (options.hex_input) {
    const std::string text(bytes->begin(), bytes->end());
    std::optional<std::vector<uint8_t>> parsed = ParseHexText(text);
    if (!parsed) return Fail("dump", {app::Failure::Kind::kUsage, name + " holds no hex bytes"});
    bytes = std::move(*parsed);
  }
  for (const Kind& kind : kKinds) {
    if (options.kind != kind.name) continue;
    std::string text = kind.dump(*bytes);
    if (!text.empty() && !text.ends_with('\n')) text += '\n';
    const Result<void, app::Failure> printed = os::PrintOutput(text);
    return printed ? kExitGood : Fail("dump", printed.error());
  }
  return Fail("dump", {app::Failure::Kind::kUsage, "no kind of bytes named " + options.kind});
}

}  // namespace

void AddDumpVerb(CLI::App& cli, Chosen& chosen) {
  AddVerb<Options>(
      cli, chosen, "dump", "explain bytes: captures, descriptors, wrappers, commands, sense",
      [](CLI::App& verb, Options& options) {
        std::vector<std::string> names;
        for (const Kind& kind : kKinds) names.push_back(kind.name);
        verb.add_option("FILE", options.path, "file to read; - or nothing: standard input");
        verb.add_flag("--hex-input", options.hex_input, "the input is hex text; # comments");
        std::string list;
        for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
        verb.add_option("--as", options.kind, "what the bytes are: " + list + "; auto guesses")
            ->check(OneOf(names))
            ->type_name("KIND");
        verb.footer("The output is for people and at most " + std::to_string(wire::kDumpLinesMax) +
                    " lines long.");
      },
      RunDump);
}

}  // namespace usbtwin::tools
