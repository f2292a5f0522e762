#include "tools/sgraw_options.h"

#include <sstream>

#include "app/device_string.h"
#include "app/size.h"
#include "base/text.h"
#include "tools/complaint.h"
#include "tools/sgraw_report.h"
#include "tools/sgraw_typed.h"

namespace usbtwin::tools {
namespace {

using Typed = SgRawTyped;

// Why a command line is refused.
struct Refusal {
  std::string text;
  bool contradiction = false;
};
using Check = std::optional<Refusal>;

Refusal Contradiction(const char* left, const char* right) {
  return {std::string(left) + " and " + right + " contradict each other", true};
}

Check SetNumber(const char* name, const std::string& text, uint64_t low, uint64_t high,
                uint64_t& target) {
  if (text.empty()) return std::nullopt;
  const std::optional<uint64_t> number = app::ParseNumber(text);
  if (!number || *number < low || *number > high) {
    return Refusal{std::string(name) + " must be " + std::to_string(low) + " to " +
                   std::to_string(high) + ", and not " + Quote(text)};
  }
  target = *number;
  return std::nullopt;
}

Check SetLength(const char* name, const std::string& text, uint64_t high,
                std::optional<uint64_t>& target) {
  if (text.empty()) return std::nullopt;
  const std::optional<uint64_t> length = app::ParseSize(text);
  if (!length) {
    return Refusal{std::string(name) + " must be a number of bytes such as 512, 0x200, 200h or " +
                   "64k, and not " + Quote(text)};
  }
  if (*length > high) {
    return Refusal{std::string(name) + ": " + text + " is more than the limit of " +
                   app::DescribeSize(high)};
  }
  target = *length;
  return std::nullopt;
}

Check SetTransport(const Typed& typed, SgRawOptions& options) {
  const int flags = int{typed.bot} + int{typed.uasp} + int{typed.automatic};
  if (flags > 1) return Refusal{"--bot, --uasp and --auto exclude each other", true};
  std::string wanted = typed.bot ? "bot" : typed.uasp ? "uasp" : typed.automatic ? "auto" : "";
  if (!typed.transport.empty()) {
    if (!wanted.empty() && wanted != typed.transport) {
      return Refusal{
          "--" + wanted + " and --transport " + typed.transport + " contradict each other", true};
    }
    wanted = typed.transport;
  }
  if (wanted.empty() || wanted == "auto") {
    options.open.transport = app::TransportChoice::kAuto;
  } else if (wanted == "bot") {
    options.open.transport = app::TransportChoice::kBot;
  } else if (wanted == "uasp" || wanted == "uas") {
    options.open.transport = app::TransportChoice::kUasp;
  } else {
    return Refusal{"--transport must be auto, bot or uasp, and not " + Quote(wanted)};
  }
  return std::nullopt;
}

Check SetDevice(Typed& typed, SgRawOptions& options) {
  // A device string has a colon or a slash, and bytes have neither, so they are never mixed up.
  const auto is_byte = [](const std::string& word) {
    return word.find(':') == std::string::npos && ParseHex(word).has_value();
  };
  if (typed.device.empty() && !typed.words.empty() && !is_byte(typed.words[0])) {
    typed.device = typed.words[0];
    typed.words.erase(typed.words.begin());
  }
  options.open.device = typed.device;
  if (typed.device.empty()) {
    if (typed.enumerate) return std::nullopt;
    return Refusal{std::string("no device: name one with -d; ") + app::DeviceStringHint()};
  }
  const Result<app::DeviceString, app::Failure> parsed = app::ParseDeviceString(typed.device);
  if (!parsed && !typed.enumerate) return Refusal{parsed.error().text};

  uint64_t interface = 0;
  if (Check check = SetNumber("--ifnum", typed.interface, 0, 255, interface)) return check;
  if (!typed.interface.empty()) options.open.interface = static_cast<uint8_t>(interface);
  if (Check check = SetNumber("--lun", typed.lun, 0, 255, options.lun)) return check;
  if (typed.detach && typed.no_detach) return Contradiction("--detach-kernel", "--no-detach");
  if (typed.detach) options.open.kernel_driver = app::KernelDriver::kDetach;
  options.open.record_path = typed.record;
  options.open.audit = typed.audit;
  options.open.faults_path = typed.faults;
  return SetTransport(typed, options);
}

Check SetCommand(const Typed& typed, SgRawOptions& options) {
  const int sources = int{!typed.words.empty()} + int{!typed.cdb.empty()} +
                      int{!typed.hex_file.empty()} + int{!typed.binary_file.empty()};
  if (sources > 1) {
    return Refusal{
        "the command is given twice: use one of --cdb, --cmdfile, --raw and bytes at "
        "the end",
        true};
  }
  if (sources == 0) {
    return Refusal{"no command: give its bytes, such as --cdb \"12 00 00 00 24 00\""};
  }
  if (!typed.hex_file.empty() || !typed.binary_file.empty()) {
    const bool is_hex = !typed.hex_file.empty();
    options.command_source =
        is_hex ? SgRawOptions::CommandSource::kHexFile : SgRawOptions::CommandSource::kBinaryFile;
    options.command_path = is_hex ? typed.hex_file : typed.binary_file;
    return std::nullopt;
  }
  std::string text = typed.cdb;
  for (const std::string& word : typed.words) text += (text.empty() ? "" : " ") + word;
  const std::optional<std::vector<uint8_t>> bytes = ParseHex(text);
  if (!bytes)
    return Refusal{"the command " + Quote(text) + " is not hex bytes such as \"12 00 24\""};
  if (bytes->empty()) return Refusal{"the command is empty"};
  options.cdb = *bytes;
  return std::nullopt;
}

// An option without effect is a mistake more often than not.
Check Useless(const char* option, const char* needed) {
  return Refusal{
      std::string(option) + " has no effect without " + needed + ": add that, or leave it out",
      true};
}

Check SetDataOut(const Typed& typed, SgRawOptions& options) {
  if (!typed.data_out.empty() && !typed.input.empty()) return Contradiction("--dout", "--infile");
  std::optional<uint64_t> skip;
  if (Check check = SetLength("--send", typed.send, app::kDataLengthMax, options.send_length)) {
    return check;
  }
  if (Check check = SetLength("--skip", typed.skip, INT64_MAX, skip)) return check;
  options.input_skip = skip.value_or(0);
  options.sends_data = !typed.data_out.empty() || !typed.input.empty() || options.send_length;
  if (options.send_length == 0u) {
    options.sends_data = false;
    if (!typed.data_out.empty()) return Contradiction("--send 0", "--dout");
    if (!typed.input.empty()) return Contradiction("--send 0", "--infile");
  }
  if (!options.sends_data && !typed.skip.empty()) {
    return Useless("--skip", "data to send (--send, --infile or --dout)");
  }
  if (!typed.data_out.empty()) options.input_path = typed.data_out;
  if (!typed.input.empty()) options.input_path = typed.input;
  return std::nullopt;
}

Check SetData(const Typed& typed, SgRawOptions& options) {
  std::optional<uint64_t> length;
  if (Check check = SetLength("--din", typed.data_in, app::kDataLengthMax, length)) return check;
  options.data_in_length = static_cast<uint32_t>(length.value_or(0));
  if (Check check = SetDataOut(typed, options)) return check;
  if (options.data_in_length != 0 && options.sends_data) {
    return Refusal{"--din and --dout in one command: USB transports move data one way only", true};
  }
  if (!typed.output.empty()) options.output_path = typed.output;
  const bool reads_command_from_stdin = options.command_path == "-";
  if (reads_command_from_stdin && options.sends_data && options.input_path == "-") {
    return Refusal{"standard input cannot bring both the command and the data", true};
  }
  if (!typed.timeout_ms.empty() && !typed.timeout_s.empty()) {
    return Contradiction("--timeout-ms", "--timeout");
  }
  uint64_t milliseconds = static_cast<uint64_t>(options.timeout.count());
  uint64_t seconds = 0;
  if (Check check = SetNumber("--timeout-ms", typed.timeout_ms, 1, 86'400'000, milliseconds)) {
    return check;
  }
  if (Check check = SetNumber("--timeout", typed.timeout_s, 0, 86'400, seconds)) return check;
  if (seconds != 0) milliseconds = seconds * 1000;
  options.timeout = options.open.step_timeout_max = std::chrono::milliseconds(milliseconds);
  return std::nullopt;
}

Check SetOutput(const Typed& typed, SgRawOptions& options) {
  if (typed.hex && typed.binary) return Contradiction("--hex", "--binary");
  if (typed.sense && typed.no_sense) return Contradiction("--sense", "--nosense");
  if (typed.quiet && typed.verbose != 0) return Contradiction("--quiet", "--verbose");
  if (typed.json && typed.binary) return Contradiction("--json", "--binary");
  if (typed.json && typed.hex) return Contradiction("--json", "--hex");
  if (typed.json && typed.output == "-") return Contradiction("--json", "--outfile -");
  if (options.output_path && options.data_in_length == 0) {
    return Useless("--outfile", "data to receive (--din)");
  }
  if (typed.hex) options.format = SgRawOptions::Format::kHex;
  if (typed.binary) options.format = SgRawOptions::Format::kBinary;
  if (typed.sense) options.sense_output = SgRawOptions::SenseOutput::kAlways;
  if (typed.no_sense) options.sense_output = SgRawOptions::SenseOutput::kNever;
  options.quiet = typed.quiet;
  options.verbosity = typed.verbose;
  options.ignore_residue = typed.ignore_residue;
  options.report_old_attention = typed.attention;
  options.enumerate = typed.enumerate;
  options.json = typed.json;
  return std::nullopt;
}

Check Judge(Typed& typed, SgRawOptions& options) {
  if (Check check = SetDevice(typed, options)) return check;
  if (Check check = SetCommand(typed, options)) return check;
  if (Check check = SetData(typed, options)) return check;
  return SetOutput(typed, options);
}

// `options` as far as they were understood.
SgRawParse Refuse(const SgRawOptions& options, const Refusal& refusal) {
  SgRawParse parse;
  parse.error = "usb_sgraw: " + refusal.text + "\nusb_sgraw --help explains the options.\n";
  parse.exit_status = refusal.contradiction
                          ? ContradictionExitStatus(options.exit_table)
                          : ExitStatus(options.exit_table, app::Failure::Kind::kUsage);
  if (options.json) {
    app::CdbResult result;
    result.outcome = app::CdbOutcome::kUsage;
    result.text = refusal.text;
    parse.output = ReportJson(options, result, parse.exit_status);
  }
  return parse;
}

// Which table is wanted on a command line that could not be read as a whole.
ExitTable TableOf(int argc, const char* const* argv) {
  constexpr std::string_view kOption = "--exit-status";
  for (int index = 1; index < argc; ++index) {
    const std::string_view word = argv[index];
    const bool is_next = word == kOption && index + 1 < argc;
    if (is_next && std::string_view(argv[index + 1]) == "sg3") return ExitTable::kSg3;
    if (word == "--exit-status=sg3") return ExitTable::kSg3;
  }
  return ExitTable::kPlain;
}

}  // namespace

SgRawParse ParseSgRaw(int argc, const char* const* argv) {
  CLI::App cli(
      "usb_sgraw sends one SCSI command to a USB mass-storage device, real or emulated, past the\n"
      "system's drivers.",
      "usb_sgraw");
  Typed typed;
  cli.get_formatter()->column_width(34);
  cli.set_version_flag("-V,--version", "usb_sgraw " USBTWIN_VERSION, "print the version");
  cli.option_defaults()->disable_flag_override();
  AddSgRawOptions(cli, typed);

  SgRawOptions options;
  options.json = WantsJson(argc, argv);
  options.exit_table = TableOf(argc, argv);
  if (const std::optional<std::string> empty = EmptyValue(argc, argv)) {
    return Refuse(options, {*empty});
  }
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream complaint;
    if (cli.exit(error, out, complaint) == 0) return {std::nullopt, out.str(), "", kExitGood};
    return Refuse(options, {Complaint(error), IsRepetition(error)});
  }
  if (const std::optional<std::string> empty = EmptyValue(cli)) return Refuse(options, {*empty});
  if (!typed.exit_table.empty() && typed.exit_table != "plain" && typed.exit_table != "sg3") {
    return Refuse(options,
                  {"--exit-status must be plain or sg3, and not " + Quote(typed.exit_table)});
  }
  options.exit_table = typed.exit_table == "sg3" ? ExitTable::kSg3 : ExitTable::kPlain;
  if (const Check refusal = Judge(typed, options)) return Refuse(options, *refusal);
  return {std::move(options), "", "", kExitGood};
}

std::optional<std::vector<uint8_t>> ParseHexText(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const size_t length = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    bytes.append(line.substr(0, line.find('#'))).append(" ");
  }
  std::optional<std::vector<uint8_t>> parsed = ParseHex(bytes);
  if (!parsed || parsed->empty()) return std::nullopt;
  return parsed;
}

}  // namespace usbtwin::tools
