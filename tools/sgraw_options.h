// What a command line of usb_sgraw asks for, as plain values. Two sets of names are understood: the
// program's own, and those of sg_raw, so that scripts written for sg_raw run after changing the
// program's name and the device. Parsing reads no file and touches no device; what it accepts makes
// sense, so nothing behind it checks for contradictions again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/send_cdb.h"
#include "base/bytes.h"
#include "tools/exit_status.h"

namespace usbtwin::tools {

struct SgRawOptions {
  app::OpenRequest open;
  uint64_t lun = 0;
  std::chrono::milliseconds timeout{30000};

  enum class CommandSource { kBytes, kHexFile, kBinaryFile };
  CommandSource command_source = CommandSource::kBytes;
  std::vector<uint8_t> cdb;  // kBytes
  std::string command_path;  // the files'; "-": standard input

  uint32_t data_in_length = 0;
  std::optional<std::string> output_path;  // absent: standard output; "-": the same, in binary
  bool sends_data = false;
  std::string input_path = "-";
  uint64_t input_skip = 0;              // bytes
  std::optional<uint64_t> send_length;  // absent: the whole input

  enum class Format { kAutomatic, kHex, kBinary };
  Format format = Format::kAutomatic;  // automatic: hex on a terminal, binary elsewhere
  enum class SenseOutput { kNormal, kAlways, kNever };
  SenseOutput sense_output = SenseOutput::kNormal;
  bool quiet = false;
  int verbosity = 0;
  bool ignore_residue = false;
  bool report_old_attention = false;
  bool enumerate = false;  // decode the command, send nothing
  bool json = false;
  ExitTable exit_table = ExitTable::kPlain;
};

// Either options, or what to print and the code to end with.
struct SgRawParse {
  std::optional<SgRawOptions> options;
  std::string output;  // for --help and --version
  std::string error;
  int exit_status = kExitGood;
};

SgRawParse ParseSgRaw(int argc, const char* const* argv);

// Bytes out of a text file: hex as for --cdb, where "#" begins a comment. nullopt where
// the text holds anything else, or no bytes.
std::optional<std::vector<uint8_t>> ParseHexText(std::string_view text);

}  // namespace usbtwin::tools
