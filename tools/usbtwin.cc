// usbtwin: looks at, copies, measures and explains USB devices, real or emulated. One subcommand a
// verb; see verb.h.
#include <new>
#include <sstream>

#include "app/device_string.h"
#include "base/text.h"
#include "os/console.h"
#include "tools/complaint.h"
#include "tools/exit_status.h"
#include "tools/verb.h"

namespace usbtwin::tools {
namespace {

std::string Footer() {
  std::string text = "Devices (-d); this build opens all but replay: and sg:\n";
  text += app::DeviceStringForms();
  text +=
      "\nExamples:\n"
      "  usbtwin info -d emu:disk.img\n"
      "  usbtwin disk read -d emu:disk.img -o copy.img --record read.pcapng\n"
      "  usbtwin disk write -d 1234:5678 -i stick.img --detach-kernel\n"
      "  usbtwin disk verify -d 1234:5678 -i stick.img\n"
      "  usbtwin bench -d 'emu:?size=64M'\n"
      "  usbtwin conform all -d emu:disk.img\n"
      "  sudo usbtwin attach emu:disk.img\n"
      "  usbtwin disk read -d emu:disk.img -o copy.img --faults plan.toml\n"
      "  usbtwin faults bot.stall-data\n"
      "  usbtwin serve emu:disk.img\n"
      "  usbtwin gadget emu:disk.img --udc dummy_udc.0\n"
      "  usbtwin info -d usbip://127.0.0.1/1-1\n"
      "  usbtwin dump read.pcapng\n"
      "  echo 12 00 00 00 24 00 | usbtwin dump --hex-input --as cdb\n\n";
  text += ExitStatusHelp(true);
  return text;
}

// The verb that was written, down to "read" of "disk read"; `cli` itself where there was none.
const CLI::App& VerbOf(const CLI::App& cli) {
  const CLI::App* verb = &cli;
  while (!verb->get_subcommands().empty()) verb = verb->get_subcommands().front();
  return *verb;
}

std::string NameOf(const CLI::App& verb) {
  if (verb.get_parent() == nullptr) return "";
  const std::string above = NameOf(*verb.get_parent());
  return above.empty() ? verb.get_name() : above + " " + verb.get_name();
}

std::string ComplaintOf(const CLI::App& cli, const CLI::ParseError& error) {
  const std::vector<std::string> unknown = cli.remaining(true);
  const bool lacks_verb = VerbOf(cli).get_require_subcommand_min() != 0;
  if (lacks_verb && !unknown.empty()) return "no verb is called " + Quote(unknown.front());
  return Complaint(error);
}

int Refuse(const CLI::App& verb, const std::string& complaint, bool json) {
  const std::string name = NameOf(verb);
  const std::string help = name.empty() ? "usbtwin --help lists the verbs"
                                        : "usbtwin " + name + " --help explains what is possible";
  return Fail(name, {app::Failure::Kind::kUsage, complaint + "\n" + help + "."}, json);
}

int Main(int argc, const char* const* argv) {
  CLI::App cli(
      "usbtwin looks at, copies, measures and explains USB devices, real or emulated.\n"
      "usbtwin VERB --help explains a verb; usb_sgraw sends single SCSI commands.",
      "usbtwin");
  cli.set_version_flag("-V,--version", "usbtwin " USBTWIN_VERSION, "print the version");
  cli.get_formatter()->column_width(34);
  cli.require_subcommand(1);
  cli.footer(Footer());
  cli.option_defaults()->disable_flag_override();
  Chosen chosen;
#ifndef USBTWIN_SIM_ALONE
  AddInfoVerb(cli, chosen);
  AddDiskVerb(cli, chosen);
  AddBenchVerb(cli, chosen);
  AddServeVerb(cli, chosen);
  AddRequestVerbs(cli, chosen);
  AddListVerb(cli, chosen);
  AddAttachVerb(cli, chosen);
  AddDetachVerb(cli, chosen);
  AddPortsVerb(cli, chosen);
  AddGadgetVerb(cli, chosen);
  AddConformVerb(cli, chosen);
  AddFaultsVerb(cli, chosen);
  AddDumpVerb(cli, chosen);
#endif
  AddSimVerb(cli, chosen);
  if (const std::optional<std::string> empty = EmptyValue(argc, argv)) {
    return Refuse(cli, *empty, WantsJson(argc, argv));
  }
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream complaint;
    if (cli.exit(error, out, complaint) == 0) {
      return os::PrintOutput(out.str()) ? kExitGood : kExitFile;
    }
    return Refuse(VerbOf(cli), ComplaintOf(cli, error), WantsJson(argc, argv));
  }
  const CLI::App& verb = VerbOf(cli);
  if (const std::optional<std::string> empty = EmptyValue(verb)) {
    return Refuse(verb, *empty, WantsJson(argc, argv));
  }
  return chosen();
}

}  // namespace
}  // namespace usbtwin::tools

int main(int argc, char** argv) {
  usbtwin::os::PrepareStreams();
  try {
    return usbtwin::tools::Main(argc, argv);
  } catch (const std::bad_alloc&) {
    namespace tools = usbtwin::tools;
    return tools::Fail(
        "", {usbtwin::app::Failure::Kind::kFile, "there is not enough memory for what was asked"},
        tools::WantsJson(argc, argv));
  }
}
