// usbtwin conform: runs the cases of a suite against a device, one after the other, and says which
// clause of which standard each of them found broken.
#include <fmt/format.h>

#include <algorithm>

#include "app/run.h"
#include "base/text.h"
#include "conform/bench.h"
#include "os/console.h"
#include "tools/complaint.h"
#include "tools/conform_report.h"
#include "tools/exit_status.h"
#include "tools/open_device.h"

namespace usbtwin::tools {
namespace {

using app::Failure;
using conform::Case;
using conform::Finding;
using conform::Suite;

struct Options {
  DeviceOptions device;
  std::string suite;
  std::vector<std::string> only;
  bool destructive = false;
  bool list = false;
  std::string html_path;
  bool json = false;
};

std::vector<Suite> SuitesOf(const std::string& name) {
  std::vector<Suite> suites;
  for (const Suite& suite : {conform::BotSuite(), conform::UasSuite(), conform::ScsiSuite()}) {
    // A device is asked over one transport: all of Bulk-Only's.
    const bool of_all = name == "all" && std::string_view(suite.name) != "uasp";
    if (of_all || name == suite.name) suites.push_back(suite);
  }
  return suites;
}

bool IsChosen(const Options& options, const Case& what) {
  return options.only.empty() ||
         std::find(options.only.begin(), options.only.end(), what.name) != options.only.end();
}

Result<void, Failure> CheckOnly(const Options& options, const std::vector<Suite>& suites) {
  for (const std::string& name : options.only) {
    const bool known = std::any_of(suites.begin(), suites.end(), [&name](const Suite& suite) {
      return std::any_of(suite.cases.begin(), suite.cases.end(),
                         [&name](const Case& one) { return one.name == name; });
    });
    if (!known) {
      return Failure{Failure::Kind::kUsage, "no case of this suite is called " + Quote(name) +
                                                "; usbtwin conform " + options.suite +
                                                " --list names them"};
    }
  }
  return {};
}

Finding RunCase(OpenDevice& device, conform::Bench& bench, const Options& options,
                const Suite& suite, const Case& what) {
  if (what.writes && !options.destructive) {
    return conform::Skip("it writes: --destructive allows that");
  }
  const std::string unready = app::Run(device.system(), suite.prepare(bench));
  if (!unready.empty()) return conform::Fail("before the case: " + unready);
  return app::Run(device.system(), what.run(bench));
}

std::string ProductOf(const host::Session& session) {
  const host::DeviceDescription& description = session.description();
  return fmt::format("{}:{} {} {}", HexId(description.device.vendor_id),
                     HexId(description.device.product_id), description.manufacturer.value_or("-"),
                     description.product.value_or("-"));
}

ConformReport RunSuites(OpenDevice& device, host::ScsiTransport& transport, const Options& options,
                        const std::vector<Suite>& suites) {
  ConformReport report{.device = options.device.device, .product = ProductOf(device.session())};
  const bool shown = os::IsCapableTerminal(os::kStandardError);
  for (const Suite& suite : suites) {
    conform::Bench bench(device.system().clock(), device.session(), transport,
                         {.lun = static_cast<uint8_t>(options.device.lun.value_or(0)),
                          .timeout = std::chrono::milliseconds(options.device.timeout_ms)});
    for (const Case& what : suite.cases) {
      if (!IsChosen(options, what)) continue;
      if (shown) os::ShowProgress(fmt::format("{}/{}", suite.name, what.name));
      report.results.push_back({suite.name, &what, RunCase(device, bench, options, suite, what)});
    }
  }
  if (shown) os::ShowProgress("");
  return report;
}

Result<void, Failure> WriteHtml(OpenDevice& device, const Options& options,
                                const ConformReport& report) {
  if (options.html_path.empty()) return {};
  const auto file = device.system().CreateFile(options.html_path);
  if (!file) return file.error();
  const std::string html = ConformHtml(report);
  const std::vector<uint8_t> bytes(html.begin(), html.end());
  if ((*file)->Write(bytes) && (*file)->Flush()) return {};
  return Failure{Failure::Kind::kFile, options.html_path + " cannot be written"};
}

int Run(const Options& given) {
  Options options = given;
  const std::vector<Suite> suites = SuitesOf(options.suite);
  if (options.list) return os::PrintOutput(CaseList(suites)) ? kExitGood : kExitFile;
  if (options.device.device.empty()) {
    return Fail("conform",
                {Failure::Kind::kUsage,
                 std::string("no device: name one with -d; ") + app::DeviceStringHint()},
                options.json);
  }
  if (const auto known = CheckOnly(options, suites); !known) {
    return Fail("conform", known.error(), options.json);
  }
  if (options.suite == "bot" || options.suite == "all") options.device.transport = "bot";
  if (options.suite == "uasp") options.device.transport = "uasp";
  app::FileNames files;
  if (!options.html_path.empty()) files.outputs.push_back(options.html_path);
  auto opened = OpenDevice::Open(options.device, files);
  if (!opened) return Fail("conform", opened.error(), options.json);
  OpenDevice& device = **opened;
  const Result<host::ScsiTransport*, Failure> transport = device.OpenStorage();
  if (!transport) return FailOpened("conform", transport.error(), device, options.json);
  const ConformReport report = RunSuites(device, **transport, options, suites);
  const Result<void, Failure> written = WriteHtml(device, options, report);
  if (!written) return FailOpened("conform", written.error(), device, options.json);
  const Result<void, Failure> closed = device.Close();
  const bool good = report.Count(conform::Verdict::kFail) == 0;
  std::string text = ConformText(report);
  if (options.json) {
    Json json = JsonHead("usbtwin conform");
    if (!good) {
      json["exit_status"] = static_cast<int>(kExitDiffers);
      json["error"]["kind"] = "difference";
      json["error"]["text"] = Count(report.Count(conform::Verdict::kFail), "case") + " failed";
    }
    if (!closed) SetError(json, closed.error());
    json.update(ConformJson(report));
    text = JsonText(json);
  }
  if (const auto printed = os::PrintOutput(text); !printed) return Fail("conform", printed.error());
  if (!closed) return Fail("conform", closed.error());
  return good ? kExitGood : kExitDiffers;
}

}  // namespace

void AddConformVerb(CLI::App& cli, Chosen& chosen) {
  CLI::App* conform = AddVerb<Options>(
      cli, chosen, "conform", "test whether a mass-storage device keeps to its standards",
      [](CLI::App& verb, Options& options) {
        verb.add_option("SUITE", options.suite, "bot, uasp, scsi or all (bot and scsi)")
            ->required()
            ->check(OneOf({"bot", "uasp", "scsi", "all"}));
        AddDeviceOptions(verb, options.device, true);
        verb.get_option("--device")->required(false);  // --list needs none
        options.device.timeout_ms = 5000;
        verb.add_flag("--destructive", options.destructive,
                      "run the cases that write, too; they write back what was there");
        verb.add_option("--only", options.only, "this case alone; may be given again")
            ->type_name("CASE")
            ->allow_extra_args(false);
        verb.add_flag("--list", options.list, "name the cases, and do nothing");
        verb.add_option("--html", options.html_path, "also write the report as one page of HTML")
            ->type_name("FILE");
        verb.add_flag("--json", options.json, "the report as one JSON object");
      },
      Run);
  conform->footer(
      "Each case tests one property, named with the clause it comes from; (TD1.5) is the number\n"
      "of the same test in USB-IF's compliance tests. Before each, the device is recovered. The\n"
      "suites bot and uasp need the setting of that name; scsi takes what --transport names.\n"
      "A device in use by others is no place for this: its unit attentions are taken.\n\n"
      "Examples:\n"
      "  usbtwin conform bot -d emu:disk.img\n"
      "  usbtwin conform uasp -d emu:uas\n"
      "  usbtwin conform all -d 1234:5678 --detach-kernel --destructive --html report.html\n\n"
      "Exit status: 0 where no case failed, 1 where one did; others as in usbtwin --help.\n");
}

}  // namespace usbtwin::tools
