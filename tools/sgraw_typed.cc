#include "tools/sgraw_typed.h"

#include "app/device_string.h"
#include "tools/exit_status.h"

namespace usbtwin::tools {
namespace {

using Typed = SgRawTyped;

std::string Footer() {
  std::string text =
      "Data from the device goes to standard output: as a hex dump on a terminal or with --hex,\n"
      "in binary elsewhere. Messages and sense go to standard error. Sizes are decimal, 0x.. or\n"
      "..h, or end in k, M or G.\n\n"
      "Devices; this build opens all but replay: and sg:\n";
  text += app::DeviceStringForms();
  text +=
      "\nExamples:\n"
      "  usb_sgraw -d 1234:5678 --cdb \"12 00 00 00 24 00\" --din 36     INQUIRY\n"
      "  usb_sgraw -d emu:disk.img --cdb \"28 00 00000000 00 0001 00\" --din 512 --hex\n"
      "  usb_sgraw -d emu:disk.img --cdb \"2a 00 00000008 00 0001 00\" --dout block.bin\n"
      "  usb_sgraw 3:7 -r 36 -o inquiry.bin 12 00 00 00 24 00          as sg_raw has it\n"
      "  usb_sgraw -d 1234:5678 --detach-kernel --cdb \"1b 00 00 00 02 00\"   eject\n\n";
  text += ExitStatusHelp(false);
  text += "  --exit-status=sg3 gives the codes of sg3_utils instead (man sg3_utils).\n";
  return text;
}

void AddDeviceOptions(CLI::App& cli, Typed& typed) {
  const char* group = "Device";
  cli.add_option("-d,--device", typed.device, "device string (below); or the first argument")
      ->type_name("DEVICE")
      ->group(group);
  cli.add_option("--ifnum", typed.interface,
                 "interface number; default: of class FFh, else of class 08h")
      ->type_name("N")
      ->group(group);
  cli.add_option("--lun", typed.lun, "logical unit number, default 0")
      ->type_name("N")
      ->group(group);
  cli.add_flag("--auto", typed.automatic, "best transport of the device (default)")->group(group);
  cli.add_flag("--bot", typed.bot, "Bulk-Only Transport")->group(group);
  cli.add_flag("--uasp", typed.uasp, "USB Attached SCSI")->group(group);
  cli.add_option("--transport", typed.transport, "auto, bot or uasp")
      ->type_name("NAME")
      ->group(group);
  cli.add_flag("--detach-kernel", typed.detach,
               "take the interface from its kernel driver; unmount first")
      ->group(group);
  cli.add_flag("--no-detach", typed.no_detach,
               "fail where a kernel driver holds the interface (default)")
      ->group(group);
  cli.add_flag("-R,--readonly", typed.read_only, "accepted for sg_raw's sake")->group(group);
  cli.add_option("--record", typed.record, "write every USB transfer to this pcapng (or .pcap)")
      ->type_name("FILE")
      ->group(group);
  cli.add_flag("--audit", typed.audit, "check the link's contract; abort on a breach")
      ->group(group);
  cli.add_option("--faults", typed.faults, "play the faults of this TOML plan; see usbtwin faults")
      ->type_name("FILE")
      ->group(group);
}

void AddCommandOptions(CLI::App& cli, Typed& typed) {
  const char* group = "Command";
  cli.add_option("bytes", typed.words, "[DEVICE] and the command's bytes in hex")
      ->type_name("HEX")
      ->group(group);
  cli.add_option("--cdb", typed.cdb, "the command's bytes: \"12 00 00 00 24 00\"")
      ->type_name("HEX")
      ->group(group);
  cli.add_option("-c,--cmdfile", typed.hex_file, "file with the bytes in hex; # comments; - stdin")
      ->type_name("FILE")
      ->group(group);
  cli.add_option("-w,--raw", typed.binary_file, "file with the bytes in binary")
      ->type_name("FILE")
      ->group(group);
  cli.add_flag("-e,--enumerate", typed.enumerate, "explain the command, send nothing")
      ->group(group);
  cli.add_flag("--attention", typed.attention,
               "report a unit attention from before; else the command is repeated")
      ->group(group);
  cli.add_option("--timeout-ms", typed.timeout_ms,
                 "for the command, and for each of 3 steps of opening; default 30000")
      ->type_name("MS")
      ->group(group);
  cli.add_option("-t,--timeout,--tmo", typed.timeout_s, "the same in seconds; 0: default")
      ->type_name("S")
      ->group(group);
}

void AddDataOptions(CLI::App& cli, Typed& typed) {
  const char* group = "Data";
  cli.add_option("--din,-r,--request", typed.data_in, "bytes to ask the device for, up to 256M")
      ->type_name("SIZE")
      ->group(group);
  cli.add_option("--dout-file,--din-file,-o,--outfile", typed.output,
                 "file for what comes, in binary; -: standard output")
      ->type_name("FILE")
      ->group(group);
  cli.add_option("--dout", typed.data_out, "file to send, all of it; -: standard input")
      ->type_name("FILE")
      ->group(group);
  cli.add_option("-s,--send", typed.send, "bytes to send, exactly; from --infile or stdin")
      ->type_name("SIZE")
      ->group(group);
  cli.add_option("-i,--infile", typed.input, "file to send from; -: standard input")
      ->type_name("FILE")
      ->group(group);
  cli.add_option("-k,--skip", typed.skip, "bytes of the input to pass over first")
      ->type_name("SIZE")
      ->group(group);
  cli.add_flag("--ignore-residue", typed.ignore_residue,
               "keep every byte that came, whatever the device's residue says")
      ->group(group);
}

void AddOutputOptions(CLI::App& cli, Typed& typed) {
  const char* group = "Output";
  cli.add_flag("--hex", typed.hex, "hex dump of what comes, on standard output")->group(group);
  cli.add_flag("-b,--binary", typed.binary, "binary, even on a terminal")->group(group);
  cli.add_flag("--sense", typed.sense, "decode sense in full, even with --quiet")->group(group);
  cli.add_flag("-n,--nosense", typed.no_sense, "do not print sense")->group(group);
  cli.add_flag("-q,--quiet", typed.quiet, "no messages but errors")->group(group);
  cli.add_flag("-v,--verbose", typed.verbose, "lengths, residue, recovery, time; twice: full sense")
      ->group(group);
  cli.add_flag("--json", typed.json, "the result as one JSON object on standard output")
      ->group(group);
  cli.add_option("--exit-status", typed.exit_table, "plain (default) or sg3")
      ->type_name("TABLE")
      ->group(group);
}

}  // namespace

void AddSgRawOptions(CLI::App& cli, SgRawTyped& typed) {
  AddDeviceOptions(cli, typed);
  AddCommandOptions(cli, typed);
  AddDataOptions(cli, typed);
  AddOutputOptions(cli, typed);
  cli.footer(Footer());
}

}  // namespace usbtwin::tools
