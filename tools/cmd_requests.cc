// usbtwin plug, unplug and status: requests to a usbtwin serve that runs.
#include <fmt/format.h>

#include <filesystem>

#include "app/device_string.h"
#include "app/size.h"
#include "base/text.h"
#include "os/console.h"
#include "tools/complaint.h"
#include "tools/control_client.h"
#include "tools/exit_status.h"
#include "tools/json_text.h"
#include "tools/verb.h"

namespace usbtwin::tools {
namespace {

using app::Failure;

struct RequestOptions {
  std::string control;
  std::string device;
  std::string bus_id;
  int timeout_ms = 10'000;
  bool json = false;
};

// The answer to one request, as JSON; a Failure where there is none or the server refuses.
Result<Json, Failure> Ask(const RequestOptions& options, const Json& request) {
  const std::string address = options.control.empty() ? DefaultControl() : options.control;
  return AskControl(address, request, std::chrono::milliseconds(options.timeout_ms));
}

int Answer(const char* verb, const Result<Json, Failure>& reply, bool json,
           const std::function<std::string(const Json&)>& text_of) {
  if (!reply) return Fail(verb, reply.error(), json);
  Json document = JsonHead(std::string("usbtwin ") + verb);
  for (const auto& [key, value] : reply->items()) {
    if (key != "schema" && key != "ok") document[key] = value;
  }
  const auto printed = os::PrintOutput(json ? JsonText(document) : text_of(*reply));
  return printed ? kExitGood : Fail(verb, printed.error());
}

// A path is of the folder it was written in, which is not the server's.
std::string WithWholePath(const std::string& device) {
  std::string_view prefix = "emu:";
  const Result<app::DeviceString, Failure> parsed = app::ParseDeviceString(device);
  if (!parsed) return device;
  std::string path;
  constexpr std::string_view kFar = "usbip+unix:";
  if (device.starts_with(kFar)) {
    prefix = kFar;
    path = device.substr(kFar.size());
  }
  if (const auto* disk = std::get_if<app::EmulatedDisk>(&*parsed)) path = disk->image_path;
  if (const auto* profile = std::get_if<app::EmulatedProfile>(&*parsed)) path = profile->path;
  if (path.empty() || path.front() == '/') return device;
  std::error_code ignored;
  const std::string folder = std::filesystem::current_path(ignored).string();
  return std::string(prefix) + folder + "/" + device.substr(prefix.size());
}

int RunPlug(const RequestOptions& options) {
  const Json request{{"request", "plug"}, {"device", WithWholePath(options.device)}};
  return Answer("plug", Ask(options, request), options.json,
                [](const Json& reply) { return Printable(TextIn(reply, "bus_id")) + "\n"; });
}

int RunUnplug(const RequestOptions& options) {
  const Json request{{"request", "unplug"}, {"bus_id", options.bus_id}};
  return Answer("unplug", Ask(options, request), options.json,
                [](const Json&) { return std::string(); });
}

std::string StatusText(const Json& reply) {
  std::string text;
  const auto devices = reply.find("devices");
  if (devices == reply.end() || !devices->is_array()) return "the server does not say\n";
  const Json limits = reply.contains("limits") ? reply["limits"] : Json();
  for (const Json& device : *devices) {
    const std::string peer = TextIn(device, "imported_by");
    text += fmt::format(
        "{:8} {}:{} {:10} {:24} {} urbs, {} in, {} out  {}\n", Printable(TextIn(device, "bus_id")),
        Printable(TextIn(device, "vendor_id")), Printable(TextIn(device, "product_id")),
        Printable(TextIn(device, "speed")), peer.empty() ? "free" : Printable(peer),
        NumberIn(device, "urbs"), app::DescribeSize(NumberIn(device, "bytes_in")),
        app::DescribeSize(NumberIn(device, "bytes_out")), Printable(TextIn(device, "device")));
    if (peer.empty()) continue;
    text += fmt::format("{:8} now {} of {} urbs, {} of {} held\n", "",
                        NumberIn(device, "urbs_under_way"), NumberIn(limits, "urbs_max"),
                        app::DescribeSize(NumberIn(device, "bytes_held")),
                        app::DescribeSize(NumberIn(limits, "urb_bytes_max")));
  }
  if (text.empty()) text = "no device is exported\n";
  const uint64_t connections = NumberIn(reply, "connections");
  if (connections == 0) return text;
  return text +
         fmt::format("{} of {} connections\n", connections, NumberIn(limits, "connections_max"));
}

int RunStatus(const RequestOptions& options) {
  const Json request{{"request", "status"}};
  return Answer("status", Ask(options, request), options.json, StatusText);
}

// A plug is answered when the device has been opened, which may take a server far away.
constexpr int kPlugTimeoutMs = 60'000;

void AddControlOptions(CLI::App& verb, RequestOptions& options) {
  verb.add_option("--control", options.control,
                  "socket of the usbtwin serve that is meant, default " + DefaultControl())
      ->type_name("unix:PATH");
  verb.add_option(
          "--timeout-ms", options.timeout_ms,
          fmt::format("milliseconds to wait for the answer, default {}", options.timeout_ms))
      ->check(NumberFrom(1, 86'400'000))
      ->type_name("MS");
}

}  // namespace

void AddRequestVerbs(CLI::App& cli, Chosen& chosen) {
  AddVerb<RequestOptions>(
      cli, chosen, "plug", "export one more device of a running usbtwin serve",
      [](CLI::App& verb, RequestOptions& options) {
        verb.add_option("DEVICE", options.device, "what to export")->required();
        options.timeout_ms = kPlugTimeoutMs;
        AddControlOptions(verb, options);
        verb.add_flag("--json", options.json, "the answer as one JSON object");
      },
      RunPlug);
  AddVerb<RequestOptions>(
      cli, chosen, "unplug", "export a device of a running usbtwin serve no more",
      [](CLI::App& verb, RequestOptions& options) {
        verb.add_option("BUSID", options.bus_id, "the device, as in 1-1")->required();
        AddControlOptions(verb, options);
        verb.add_flag("--json", options.json, "the answer as one JSON object");
      },
      RunUnplug);
  AddVerb<RequestOptions>(
      cli, chosen, "status", "what a running usbtwin serve exports, and to whom",
      [](CLI::App& verb, RequestOptions& options) {
        AddControlOptions(verb, options);
        verb.add_flag("--json", options.json, "the same as one JSON object");
      },
      RunStatus);
}

}  // namespace usbtwin::tools
