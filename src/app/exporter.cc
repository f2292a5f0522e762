#include "app/exporter.h"

#include "app/export_device.h"
#include "app/run.h"
#include "async/host_and_port.h"
#include "async/perform_socket.h"
#include "base/text.h"

namespace usbtwin::app {
namespace {

constexpr size_t kControlsMax = 16;

Failure Stops() {
  return {Failure::Kind::kCannotOpen, "the server stops", {}};
}

bool Contains(const std::vector<async::IpNetwork>& networks, const async::IpAddress& address) {
  for (const async::IpNetwork& network : networks) {
    if (network.Contains(address)) return true;
  }
  return false;
}

}  // namespace

Exporter::Exporter(System& system, ExporterOptions options)
    : system_(system),
      options_(std::move(options)),
      server_(system.clock(), options_.limits, options_.log),
      control_owner_{[this](std::string line) { return Answer(std::move(line)); }, options_.log} {}

Exporter::~Exporter() {
  if (!server_.idle()) {
    server_.Stop();
    (void)system_.RunUntil([this] { return server_.idle(); });
  }
  system_.clock().Disarm(*this);
}

// --- devices ---

// co_await opening: the device, opened by Run when the loop has come to rest.
class Exporter::Opening final : private Deferred {
 public:
  Opening(Exporter& exporter, std::string device)
      : exporter_(exporter), device_(std::move(device)) {}

  bool await_ready() const { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> handle) {
    root_ = &handle.promise().root();
    handle_ = handle;
    exporter_.wanted_.push_back(this);
  }
  Result<std::unique_ptr<OpenedBus>, Failure> await_resume() { return std::move(result_); }

  void Finish() {
    if (!exporter_.stopping_) result_ = exporter_.Open(device_);
    exporter_.system_.clock().Post(*this);
  }

 private:
  void Run() override { root_->Resume(handle_); }

  Exporter& exporter_;
  const std::string device_;
  async::Root* root_ = nullptr;
  std::coroutine_handle<> handle_;
  Result<std::unique_ptr<OpenedBus>, Failure> result_ = Stops();
};

void Exporter::OpenWanted() {
  for (Opening* opening : std::exchange(wanted_, {})) opening->Finish();
}

// What is recorded is the first device alone.
Result<std::unique_ptr<OpenedBus>, Failure> Exporter::Open(const std::string& device) {
  OpenerOptions opener = options_.opener;
  opener.without_streams = true;
  if (numbers_taken_ != 0) opener.record_path.clear();
  return OpenBus(system_, device, opener);
}

Result<std::string, Failure> Exporter::PlugFirst(const std::string& device,
                                                 const std::function<bool()>& stop) {
  auto opened = Open(device);
  if (!opened) return opened.error();
  return RunUnlessStopped(system_, Plug(device, std::move(*opened)), stop,
                          [this] { GiveUpOpenings(); });
}

void Exporter::GiveUpOpenings() {
  for (OpenedBus* opened : opening_) opened->GiveUp();
}

async::Task<Result<std::string, Failure>> Exporter::Plug(std::string device,
                                                         std::unique_ptr<OpenedBus> opened) {
  if (stopping_) co_return Stops();
  auto plugged = std::make_unique<Device>();
  plugged->text = device;
  plugged->opened = std::move(opened);
  const uint32_t number = ++numbers_taken_;
  plugged->bus_id = "1-" + std::to_string(number);
  ExportPlace place;
  place.bus_id = plugged->bus_id;
  place.device_number = number + 1;  // 1 is the root hub
  usb::Bus& bus = plugged->opened->bus();
  const usb::DeviceId id = plugged->opened->device_id();
  opening_.push_back(plugged->opened.get());
  auto exported = co_await DescribeExport(system_.clock(), bus, id, place);
  std::erase(opening_, plugged->opened.get());
  if (!exported) {
    Failure failure;
    failure.kind = Failure::Kind::kCannotOpen;
    failure.text = "cannot open " + Printable(device) + ": " + exported.error().Describe() +
                   plugged->opened->Explain(exported.error());
    dead_.push_back(std::move(plugged));
    co_return failure;
  }
  const std::string bus_id = plugged->bus_id;
  exported->kernel_driver = options_.kernel_driver;
  exported->admit = [this, bus_id](const std::string& peer) { return AdmitImport(bus_id, peer); };
  exported->released = [this, bus_id] {
    for (auto& device_left : leaving_) {
      if (device_left != nullptr && device_left->bus_id == bus_id) {
        dead_.push_back(std::move(device_left));
      }
    }
    std::erase(leaving_, nullptr);
  };
  const Result<void> added = server_.Add(std::move(*exported));
  CHECK(added.has_value());
  devices_.emplace(bus_id, std::move(plugged));
  options_.log("exports " + bus_id + ": " + device);
  co_return bus_id;
}

async::Task<Result<std::string, Failure>> Exporter::OpenAndPlug(std::string device) {
  Opening opening(*this, device);
  auto opened = co_await opening;
  if (!opened) co_return opened.error();
  const Result<std::string, Failure> bus_id = co_await Plug(std::move(device), std::move(*opened));
  co_return bus_id;
}

std::string Exporter::Unplug(const std::string& bus_id) {
  const auto found = devices_.find(bus_id);
  if (found == devices_.end()) return "no device " + Quote(bus_id) + " is exported here";
  options_.log("exports " + bus_id + " no more: " + found->second->text);
  leaving_.push_back(std::move(found->second));
  devices_.erase(found);
  CHECK(server_.Remove(bus_id));
  return "";
}

void Exporter::Bury() {
  while (!dead_.empty()) {
    std::unique_ptr<Device> device = std::move(dead_.back());
    dead_.pop_back();
    const std::string trouble = device->opened->FinishRecord();
    if (!trouble.empty()) options_.log(trouble);
  }
}

// --- peers ---

// A peer without an IP address came through a file of this machine: the file's mode decides.
std::string Exporter::AdmitPeer(const std::string& peer) const {
  const std::optional<async::IpAddress> address = async::IpAddress::OfPeer(peer);
  if (!address || address->is_loopback() || Contains(options_.rules.networks, *address)) return "";
  for (const auto& [bus_id, networks] : options_.rules.of_bus_id) {
    if (Contains(networks, *address)) return "";
  }
  return "--allow does not name its address";
}

std::string Exporter::AdmitImport(const std::string& bus_id, const std::string& peer) const {
  const std::optional<async::IpAddress> address = async::IpAddress::OfPeer(peer);
  if (!address || address->is_loopback()) return "";
  const auto own = options_.rules.of_bus_id.find(bus_id);
  if (own == options_.rules.of_bus_id.end()) {
    const bool allowed = Contains(options_.rules.networks, *address);
    return allowed ? "" : "--allow does not name its address for this device";
  }
  return Contains(own->second, *address) ? "" : "--allow names others for this device";
}

Result<std::string, Failure> Exporter::ListenAddress(const std::string& given) const {
  if (given.starts_with("unix:") || given.starts_with("activated:")) return given;
  const auto parsed = async::ParseHostAndPort(given, {.otherwise = kUsbIpPort, .min = 0});
  if (!parsed) {
    return Failure{Failure::Kind::kUsage, "--listen " + Printable(given) + ": " + parsed.error()};
  }
  const std::string address = async::TextOf(*parsed);
  const std::optional<async::IpAddress> ip = async::IpAddress::OfPeer(address);
  const bool is_loopback = ip ? ip->is_loopback() : parsed->host == "localhost";
  if (is_loopback || !options_.rules.networks.empty() || !options_.rules.of_bus_id.empty()) {
    return address;
  }
  return Failure{Failure::Kind::kUsage,
                 "--listen " + Printable(address) +
                     " can be reached from elsewhere: say who may, as in --allow 192.168.1.0/24"};
}

Result<std::unique_ptr<async::Listener>, Failure> Exporter::OpenListener(const std::string& given) {
  const Result<std::string, Failure> address = ListenAddress(given);
  if (!address) return address.error();
  auto listener = system_.sockets().Listen(*address);
  if (!listener) {
    const bool usage = listener.error().kind == ErrorKind::kInvalid;
    return Failure{usage ? Failure::Kind::kUsage : Failure::Kind::kCannotOpen,
                   listener.error().text};
  }
  return std::move(*listener);
}

void Exporter::Serve(std::unique_ptr<async::Listener> listener) {
  server_.Serve(std::move(listener), [this](const std::string& peer) { return AdmitPeer(peer); });
}

Result<std::string, Failure> Exporter::Listen(const std::string& given) {
  auto listener = OpenListener(given);
  if (!listener) return listener.error();
  std::string taken = (*listener)->address();
  Serve(std::move(*listener));
  return taken;
}

// --- the control socket ---

Result<std::string, Failure> Exporter::ListenForControl(const std::string& address) {
  if (!address.starts_with("unix:")) {
    return Failure{Failure::Kind::kUsage,
                   "--control " + address + ": it is a socket file, as in unix:/run/usbtwin.sock"};
  }
  auto listener = system_.sockets().Listen(address);
  if (!listener) return Failure{Failure::Kind::kCannotOpen, listener.error().text};
  control_listener_ = std::move(*listener);
  control_job_ = std::make_unique<async::Job<Result<void>>>(system_.clock(),
                                                            AcceptControl(*control_listener_));
  return control_listener_->address();
}

async::Task<Result<void>> Exporter::AcceptControl(async::Listener& listener) {
  async::SocketAccept accept;
  while (true) {
    const async::SocketOutcome outcome = co_await async::PerformAccept(listener, accept);
    if (outcome == async::SocketOutcome::kCancelled) co_return Result<void>();
    if (outcome != async::SocketOutcome::kOk) {
      options_.log("the control socket: " + accept.why);
      continue;
    }
    std::erase_if(controls_, [](const auto& control) { return control->done(); });
    // One too many is closed at once.
    std::unique_ptr<async::Socket> socket = std::move(accept.socket);
    if (controls_.size() >= kControlsMax) continue;
    controls_.push_back(
        std::make_unique<ControlConnection>(system_.clock(), control_owner_, std::move(socket)));
  }
}

// --- the loop ---

void Exporter::Run(const std::function<bool()>& stop) {
  while (!stop()) {
    (void)system_.RunUntil([&] { return stop() || !dead_.empty() || !wanted_.empty(); });
    OpenWanted();
    Bury();
  }
  stopping_ = true;
  server_.Stop();
  if (control_job_ != nullptr) control_job_->Cancel();
  for (const auto& control : controls_) control->Stop();
  GiveUpOpenings();
  OpenWanted();
  system_.clock().Arm(*this, system_.clock().Now() + options_.limits.stop_time);
  (void)system_.RunUntil([this] {
    const bool controls_done = std::all_of(controls_.begin(), controls_.end(),
                                           [](const auto& control) { return control->done(); });
    return server_.idle() && controls_done && (control_job_ == nullptr || control_job_->done());
  });
  system_.clock().Disarm(*this);
  controls_.clear();
  for (auto& [bus_id, device] : devices_) dead_.push_back(std::move(device));
  devices_.clear();
  for (auto& device : leaving_) dead_.push_back(std::move(device));
  leaving_.clear();
  Bury();
}

// Peers have had the time for their last replies: devices that are silent get no more either.
void Exporter::HandleTimer() {
  for (const auto& [bus_id, device] : devices_) device->opened->GiveUp();
  for (const auto& device : leaving_) device->opened->GiveUp();
}

}  // namespace usbtwin::app
