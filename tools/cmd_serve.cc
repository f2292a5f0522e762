// usbtwin serve: exports devices over USB/IP.
#include "app/exporter.h"
#include "app/size.h"
#include "base/text.h"
#include "os/console.h"
#include "os/system.h"
#include "tools/complaint.h"
#include "tools/control_client.h"
#include "tools/exit_status.h"
#include "tools/verb.h"

namespace usbtwin::tools {
namespace {

using app::Failure;

struct ServeOptions {
  std::vector<std::string> devices;
  std::vector<std::string> listen;
  std::vector<std::string> allow;
  std::string control;
  bool no_control = false;
  bool read_only = false;
  bool detach_kernel = false;
  std::string record_path;
  std::string faults_path;
  bool audit = false;
  async::UsbIpLimits limits;  // but for what is written as something else:
  int64_t handshake_ms = 10'000;
  int64_t stop_ms = 2000;
  std::string urb_length_max = "1M";
  std::string urb_bytes_max = "32M";
  std::string reply_bytes_max = "4M";
  int keep_alive_seconds = 45;
};

struct SizeRange {
  uint64_t min = 1;
  uint64_t max = uint64_t{1} << 40;
};
Result<uint64_t, Failure> SizeOf(const char* option, const std::string& text,
                                 const SizeRange& range) {
  const std::optional<uint64_t> size = app::ParseSize(text);
  if (size && *size >= range.min && *size <= range.max) return *size;
  return Failure{Failure::Kind::kUsage,
                 std::string(option) + " must be a size such as 1M or 65536, from " +
                     app::DescribeSize(range.min) + " to " + app::DescribeSize(range.max) +
                     ", and not " + Quote(text)};
}

Result<async::UsbIpLimits, Failure> LimitsOf(const ServeOptions& options) {
  const auto length =
      SizeOf("--urb-length-max", options.urb_length_max, {.max = uint64_t{1} << 30});
  if (!length) return length.error();
  const auto bytes = SizeOf("--urb-bytes-max", options.urb_bytes_max, {});
  if (!bytes) return bytes.error();
  const auto replies = SizeOf("--reply-bytes-max", options.reply_bytes_max, {});
  if (!replies) return replies.error();
  async::UsbIpLimits limits = options.limits;
  limits.handshake_time = std::chrono::milliseconds(options.handshake_ms);
  limits.stop_time = std::chrono::milliseconds(options.stop_ms);
  limits.urb_length_max = static_cast<uint32_t>(*length);
  limits.urb_bytes_max = *bytes;
  limits.reply_bytes_max = *replies;
  return limits;
}

// "10.0.0.0/8", or "1-1=10.0.0.0/8" for one device.
std::optional<Failure> AddRule(const std::string& text, app::ExportRules& rules) {
  const size_t equals = text.find('=');
  const bool of_one = equals != std::string::npos;
  const auto network = async::IpNetwork::Parse(of_one ? text.substr(equals + 1) : text);
  if (!network || (of_one && !usbip::IsBusId(text.substr(0, equals)))) {
    return Failure{Failure::Kind::kUsage,
                   "--allow " + Printable(text) +
                       ": a network is written like 192.168.1.0/24 (bits beyond the prefix are "
                       "zero) or 10.0.0.7, and for one device like 1-1=10.0.0.7"};
  }
  auto& networks = of_one ? rules.of_bus_id[text.substr(0, equals)] : rules.networks;
  networks.push_back(*network);
  return std::nullopt;
}

// kUsage for a size or a network that is none.
Result<app::ExporterOptions, Failure> ExporterOptionsOf(const ServeOptions& options) {
  app::ExporterOptions exporter_options;
  exporter_options.opener.record_path = options.record_path;
  exporter_options.opener.faults_path = options.faults_path;
  exporter_options.opener.audit = options.audit;
  exporter_options.opener.read_only = options.read_only;
  if (options.detach_kernel) exporter_options.kernel_driver = usb::KernelDriverPolicy::kDetach;
  const Result<async::UsbIpLimits, Failure> limits = LimitsOf(options);
  if (!limits) return limits.error();
  exporter_options.limits = *limits;
  exporter_options.log = [](const std::string& line) {
    os::PrintError("usbtwin serve: " + Printable(line) + "\n");  // one line, whatever it quotes
  };
  for (const std::string& text : options.allow) {
    const std::optional<Failure> failure = AddRule(text, exporter_options.rules);
    if (failure) return *failure;
  }
  return exporter_options;
}

void SayOfServer(const std::string& text) {
  os::PrintError("usbtwin serve: " + text + "\n");
}

// Before any device: whoever asks for the status while devices are opened is answered.
Result<std::string, Failure> ListenForControl(app::Exporter& exporter,
                                              const ServeOptions& options) {
  const bool asked = !options.control.empty();
  const auto taken = exporter.ListenForControl(asked ? options.control : DefaultControl());
  if (!taken && asked) return taken.error();
  return taken ? "takes requests at " + *taken
               : "takes no requests (plug, unplug, status): " + taken.error().text;
}

// All of them before a device is opened, which may take a disk from its driver: what is wrong with
// an address must be known by then.
Result<std::vector<std::unique_ptr<async::Listener>>, Failure> OpenListeners(
    app::Exporter& exporter, const ServeOptions& options) {
  std::vector<std::string> addresses = options.listen;
  if (addresses.empty()) addresses.push_back("127.0.0.1:" + std::to_string(app::kUsbIpPort));
  std::vector<std::unique_ptr<async::Listener>> listeners;
  for (const std::string& address : addresses) {
    auto listener = exporter.OpenListener(address);
    if (!listener) return listener.error();
    listeners.push_back(std::move(*listener));
  }
  return listeners;
}

// Ends early, and well, where somebody asks for a stop.
Result<void, Failure> StartServing(app::Exporter& exporter, const ServeOptions& options,
                                   const std::function<bool()>& stop) {
  auto listeners = OpenListeners(exporter, options);
  if (!listeners) return listeners.error();
  std::string control;
  if (!options.no_control) {
    const auto said = ListenForControl(exporter, options);
    if (!said) return said.error();
    control = *said;
  }
  for (const std::string& device : options.devices) {
    const auto plugged = exporter.PlugFirst(device, stop);
    if (stop()) return {};
    if (!plugged) return plugged.error();
  }
  for (auto& listener : *listeners) {
    SayOfServer("listens at " + listener->address());
    exporter.Serve(std::move(listener));
  }
  if (!control.empty()) SayOfServer(control);
  return {};
}

int RunServe(const ServeOptions& options) {
  const auto system =
      os::MakeSystem({.keep_alive_time = std::chrono::seconds(options.keep_alive_seconds)});
  auto exporter_options = ExporterOptionsOf(options);
  if (!exporter_options) return Fail("serve", exporter_options.error());
  const os::StopRequests stop_requests(*system);
  const auto stop = [&stop_requests] { return stop_requests.asked(); };
  app::Exporter exporter(*system, std::move(*exporter_options));
  const Result<void, Failure> started = StartServing(exporter, options, stop);
  if (!started) {
    exporter.Run([] { return true; });  // whoever asked meanwhile is told that there is no answer
    return Fail("serve", started.error());
  }
  exporter.Run(stop);
  return kExitGood;
}

void AddServeOptions(CLI::App& verb, ServeOptions& options) {
  verb.add_option("DEVICE", options.devices, "what to export; none: wait for usbtwin plug");
  verb.add_option("--listen", options.listen,
                  "address to listen at, again for more; default 127.0.0.1:3240; also "
                  "unix:PATH, [::1]:PORT, and activated:0 for a socket passed by systemd")
      ->allow_extra_args(false)  // the next word is a device
      ->type_name("ADDRESS");
  verb.add_option("--allow", options.allow,
                  "who may connect from elsewhere: a network (10.0.0.0/8), or for one "
                  "device alone 1-1=10.0.0.7; again for more")
      ->allow_extra_args(false)
      ->type_name("CIDR");
  verb.add_flag("--read-only", options.read_only,
                "the units of emulated devices refuse to write; others are not exported then");
  verb.add_flag("--detach-kernel", options.detach_kernel,
                "take real devices from their kernel drivers; unmount first");
  auto* control =
      verb.add_option("--control", options.control,
                      "where plug, unplug and status are taken, default " + DefaultControl())
          ->type_name("unix:PATH");
  verb.add_flag("--no-control", options.no_control, "take no requests")->excludes(control);
  verb.add_option("--record", options.record_path,
                  "write the transfers of the first device to this pcapng (or .pcap)")
      ->type_name("FILE");
  verb.add_option("--faults", options.faults_path,
                  "play the faults of this TOML plan on each device")
      ->type_name("FILE");
  verb.add_flag("--audit", options.audit, "check the links' contract; abort on a breach");
}

void AddServeLimits(CLI::App& verb, ServeOptions& options) {
  const char* group = "Limits";
  const auto add_number = [&](const char* name, auto& value, double low, double high,
                              const char* help) {
    return verb.add_option(name, value, help)->check(NumberFrom(low, high))->group(group);
  };
  const auto add_size = [&](const char* name, std::string& value, const char* help) {
    verb.add_option(name, value, help)->group(group)->type_name("SIZE");
  };
  constexpr double kCountMax = 100'000;
  constexpr double kTimeMax = 86'400'000;  // a day
  add_number("--connections-max", options.limits.connections_max, 1, kCountMax,
             "connections at once, default 64");
  add_number("--handshakes-max", options.limits.handshakes_max, 1, kCountMax,
             "of them, such as have not said what they want, default 16; then the "
             "oldest of the address with most gives way to an address with fewer");
  add_number("--handshake-ms", options.handshake_ms, 1, kTimeMax,
             "milliseconds in which a peer must say what it wants, default 10000")
      ->type_name("MS");
  add_number("--keep-alive", options.keep_alive_seconds, 5, os::kKeepAliveSecondsMax,
             "seconds after which a peer over TCP that does not answer any more counts "
             "as gone, 5 to 32767, default 45")
      ->type_name("SECONDS");
  add_number("--urbs-max", options.limits.urbs_max, 1, kCountMax,
             "transfers of one device under way, default 256; more are refused");
  add_size("--urb-length-max", options.urb_length_max, "bytes of one transfer, default 1M");
  add_size("--urb-bytes-max", options.urb_bytes_max,
           "bytes of all transfers of one device, default 32M");
  add_size("--reply-bytes-max", options.reply_bytes_max,
           "bytes of replies that a peer does not take, default 4M; then it is not "
           "read until it does");
  add_number("--stop-ms", options.stop_ms, 1, kTimeMax,
             "milliseconds for the last replies when the server stops, default 2000")
      ->type_name("MS");
}

}  // namespace

void AddServeVerb(CLI::App& cli, Chosen& chosen) {
  AddVerb<ServeOptions>(
      cli, chosen, "serve", "export devices over USB/IP, to this machine or to others",
      [](CLI::App& verb, ServeOptions& options) {
        AddServeOptions(verb, options);
        AddServeLimits(verb, options);
        verb.footer(
            "Examples:\n"
            "  usbtwin serve emu:disk.img\n"
            "  usbip attach -r 127.0.0.1 -b 1-1        (Linux; needs the module vhci-hcd)\n"
            "  usb_sgraw -d usbip://127.0.0.1/1-1 12 00 00 00 24 00\n"
            "  usbtwin serve 'emu:?size=64M' --listen unix:/tmp/twin.sock\n"
            "  usbtwin serve emu:disk.img --listen 0.0.0.0:3240 --allow 192.168.1.0/24\n"
            "Devices are 1-1, 1-2 and so on, in the order in which they were plugged in. Each is\n"
            "imported by one peer at a time. A device of a peer that leaves is reset. SIGINT and\n"
            "SIGTERM end the server when the replies under way are sent.\n"
            "USB/IP has no encryption and no passwords: --allow names addresses, which can be\n"
            "forged on an open network. Peers on this machine are always let in.\n"
            "Of peers that import nothing 10 lines a second are told, the rest counted. A control\n"
            "connection without a whole request for 10 s is closed; 16 may be open.");
      },
      RunServe);
}

}  // namespace usbtwin::tools
