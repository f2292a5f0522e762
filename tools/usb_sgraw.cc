// usb_sgraw: one SCSI command to a USB mass-storage device, from the command line. It reads what is
// to be sent, calls SendCdb, and shows what came; everything else is in the files it includes.
#include <new>

#include "app/hex_dump.h"
#include "app/opener.h"
#include "app/send_cdb.h"
#include "os/console.h"
#include "os/system.h"
#include "tools/cdb_text.h"
#include "tools/sgraw_options.h"
#include "tools/sgraw_report.h"

namespace usbtwin::tools {
namespace {

constexpr uint64_t kCommandFileLengthMax = 64 * 1024;  // bytes, with comments

// Ends the program because of a file: sg3_utils has a code for that, whatever the reason.
int FileExit(const SgRawOptions& options, const app::Failure& failure) {
  const app::Failure::Kind kind =
      options.exit_table == ExitTable::kSg3 ? app::Failure::Kind::kFile : failure.kind;
  const int exit_status = ExitStatus(options.exit_table, kind);
  app::CdbResult result;
  result.outcome =
      kind == app::Failure::Kind::kFile ? app::CdbOutcome::kFile : app::CdbOutcome::kUsage;
  result.text = failure.text;
  if (options.json) (void)os::PrintOutput(ReportJson(options, result, exit_status)).has_value();
  os::PrintError(ReportText(options, result));
  return exit_status;
}

Result<std::vector<uint8_t>, app::Failure> ReadCommand(const SgRawOptions& options) {
  if (options.command_source == SgRawOptions::CommandSource::kBytes) return options.cdb;
  const os::InputRequest request{.path = options.command_path, .length_max = kCommandFileLengthMax};
  Result<std::vector<uint8_t>, app::Failure> bytes = os::ReadInput(request);
  if (!bytes) return bytes;
  if (options.command_source == SgRawOptions::CommandSource::kHexFile) {
    const std::string text(bytes->begin(), bytes->end());
    const std::optional<std::vector<uint8_t>> parsed = ParseHexText(text);
    if (!parsed) {
      return app::Failure{app::Failure::Kind::kUsage,
                          options.command_path +
                              " holds no command: it takes hex bytes such as "
                              "\"12 00 24\", and # begins a comment"};
    }
    return *parsed;
  }
  if (bytes->empty()) {
    return app::Failure{app::Failure::Kind::kUsage, options.command_path + " is empty"};
  }
  return bytes;
}

Result<std::vector<uint8_t>, app::Failure> ReadDataOut(const SgRawOptions& options) {
  if (!options.sends_data) return std::vector<uint8_t>();
  if (options.input_path == "-" && os::IsTerminal(os::kStandardInput) && !options.quiet) {
    os::PrintError("usb_sgraw: reading the data to send from standard input\n");
  }
  const os::InputRequest request{.path = options.input_path,
                                 .skip = options.input_skip,
                                 .length = options.send_length,
                                 .length_max = app::kDataLengthMax};
  Result<std::vector<uint8_t>, app::Failure> bytes = os::ReadInput(request);
  if (bytes && bytes->empty()) {
    const std::string name = options.input_path == "-" ? "standard input" : options.input_path;
    return app::Failure{app::Failure::Kind::kUsage,
                        name + " holds no data to send; a command without data takes no --dout"};
  }
  return bytes;
}

// Writes what came to the file and to standard output, as the options say.
Result<void, app::Failure> ShowData(const SgRawOptions& options,
                                    std::optional<os::OutputFile>& file, Bytes data) {
  const bool to_file = file && !file->is_standard_output();
  if (to_file) {
    const Result<void, app::Failure> written = file->Write(data);
    if (!written) return written;
    const Result<void, app::Failure> finished = file->Finish();
    if (!finished) return finished;
  }
  if (options.json) return {};
  const bool is_hex = options.format == SgRawOptions::Format::kHex ||
                      (options.format == SgRawOptions::Format::kAutomatic && !file &&
                       os::IsTerminal(os::kStandardOutput));
  if (is_hex) return os::PrintOutput(app::HexDump(data));
  if (to_file) return {};
  return os::Write(os::kStandardOutput, "standard output", data);
}

// Nothing that is written may be something that is read.
Result<void, app::Failure> CheckFiles(const SgRawOptions& options, app::System& system) {
  app::FileNames names;
  if (!options.command_path.empty()) names.inputs.push_back(options.command_path);
  if (options.sends_data) names.inputs.push_back(options.input_path);
  if (!options.open.faults_path.empty()) names.inputs.push_back(options.open.faults_path);
  if (options.output_path) names.outputs.push_back(*options.output_path);
  if (!options.open.record_path.empty()) names.outputs.push_back(options.open.record_path);
  return app::CheckFiles(system, options.open.device, std::move(names));
}

int Run(SgRawOptions options) {
  Result<std::vector<uint8_t>, app::Failure> command = ReadCommand(options);
  if (!command) return FileExit(options, command.error());
  options.cdb = std::move(*command);
  if (options.enumerate) {
    const Result<void, app::Failure> printed =
        os::PrintOutput(options.json ? CommandJson(options.cdb) : CommandText(options.cdb));
    return printed ? kExitGood : FileExit(options, printed.error());
  }
  const std::unique_ptr<app::System> system = os::MakeSystem();
  const Result<void, app::Failure> checked = CheckFiles(options, *system);
  if (!checked) return FileExit(options, checked.error());
  const Result<std::vector<uint8_t>, app::Failure> data_out = ReadDataOut(options);
  if (!data_out) return FileExit(options, data_out.error());
  if (options.sends_data) options.send_length = data_out->size();
  std::optional<os::OutputFile> file;
  if (options.output_path && options.data_in_length != 0) {
    Result<os::OutputFile, app::Failure> opened = os::OutputFile::Open(*options.output_path);
    if (!opened) return FileExit(options, opened.error());
    file.emplace(std::move(*opened));
  }

  const app::CdbRequest request{.lun = options.lun,
                                .cdb = options.cdb,
                                .data_out = *data_out,
                                .data_in_length = options.data_in_length,
                                .timeout = options.timeout,
                                .report_old_attention = options.report_old_attention};
  const app::CdbResult result = app::SendCdb(*system, options.open, request);
  // The record could not be made: nothing was sent, and what is wrong is an option.
  if (result.outcome == app::CdbOutcome::kFile) {
    return FileExit(options, {app::Failure::Kind::kUsage, result.text});
  }

  std::string file_error;
  if (!result.record_error.empty()) file_error = "the record is incomplete: " + result.record_error;
  if (KeepsData(result) && options.data_in_length != 0) {
    const Result<void, app::Failure> shown = ShowData(options, file, ValidData(options, result));
    if (!shown && !options.json) return FileExit(options, shown.error());
    if (!shown) file_error = shown.error().text;
  }
  int exit_status = ExitStatus(options.exit_table, result);
  if (!file_error.empty()) {
    os::PrintError("usb_sgraw: " + file_error + "\n");
    if (exit_status == kExitGood) {
      exit_status = ExitStatus(options.exit_table, app::Failure::Kind::kFile);
    }
  }
  if (options.json) {
    const Result<void, app::Failure> printed =
        os::PrintOutput(ReportJson(options, result, exit_status, file_error));
    if (!printed) return FileExit(options, printed.error());
    if (result.outcome == app::CdbOutcome::kCompleted) return exit_status;
  }
  os::PrintError(ReportText(options, result));
  return exit_status;
}

}  // namespace
}  // namespace usbtwin::tools

int main(int argc, char** argv) {
  namespace os = usbtwin::os;
  namespace tools = usbtwin::tools;
  os::PrepareStreams();
  tools::SgRawParse parse = tools::ParseSgRaw(argc, argv);
  try {
    if (parse.options) return tools::Run(*parse.options);
  } catch (const std::bad_alloc&) {
    return tools::FileExit(*parse.options,
                           {usbtwin::app::Failure::Kind::kFile,
                            "there is not enough memory for the data; ask for less"});
  }
  os::PrintError(parse.error);
  if (!parse.output.empty() && !os::PrintOutput(parse.output)) return tools::kExitFile;
  return parse.exit_status;
}
