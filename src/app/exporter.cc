#include "app/exporter.h"

#include <nlohmann/json.hpp>

#include "app/export_device.h"
#include "app/run.h"
#include "async/perform_socket.h"
#include "base/text.h"

namespace usbtwin::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchema = 1;
constexpr size_t kRequestMax = 64 << 10;  // bytes of a line
constexpr size_t kControlsMax = 16;
constexpr Duration kRequestTime = std::chrono::seconds(10);  // to take a reply and ask again

std::string Line(const Json& json) {
  return json.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

const char* NameOf(Failure::Kind kind) {
  switch (kind) {
    case Failure::Kind::kUsage: return "usage";
    case Failure::Kind::kCannotOpen: return "cannot open";
    case Failure::Kind::kTransport: return "transport";
    case Failure::Kind::kRefused: return "refused";
    case Failure::Kind::kFile: return "file";
  }
  return "";
}

Json Refusal(const Failure& failure) {
  Json json;
  json["schema"] = kSchema;
  json["ok"] = false;
  json["error"] = {{"kind", NameOf(failure.kind)}, {"text", failure.text}};
  return json;
}

bool Contains(const std::vector<async::IpNetwork>& networks, const async::IpAddress& address) {
  for (const async::IpNetwork& network : networks) {
    if (network.Contains(address)) return true;
  }
  return false;
}

std::string Hex4(uint16_t value) {
  const std::array<uint8_t, 2> bytes{static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)};
  return Hex(bytes, 0);
}

}  // namespace

// One program that asks. Its chain ends when the program has left, when it is told to, or when the
// next whole request does not come in time: who is silent takes nobody's place for long.
class Exporter::ControlConnection final : private Timer {
 public:
  ControlConnection(Exporter& exporter, std::unique_ptr<async::Socket> socket)
      : exporter_(exporter), socket_(std::move(socket)) {
    job_.emplace(exporter.system_.clock(), Serve());
  }
  bool done() const { return job_->done(); }
  void Stop() { job_->Cancel(); }

 private:
  void StartDeadline() {
    Clock& clock = exporter_.system_.clock();
    clock.Arm(*this, clock.Now() + kRequestTime);
  }
  void HandleTimer() override {
    exporter_.options_.log("the control socket: no whole request within 10 s; closed");
    Stop();
  }
  async::Task<Result<void>> Serve() {
    StartDeadline();
    std::string received;
    std::array<uint8_t, 4096> room;
    async::SocketRead read;
    async::SocketWrite write;
    while (true) {
      const size_t end = received.find('\n');
      if (end == std::string::npos) {
        if (received.size() > kRequestMax) break;
        read.room = room;
        const async::SocketOutcome outcome = co_await async::PerformRead(*socket_, read);
        if (outcome != async::SocketOutcome::kOk) break;
        received.append(room.begin(), room.begin() + static_cast<ptrdiff_t>(read.length_actual));
        continue;
      }
      std::string line = received.substr(0, end);
      received.erase(0, end + 1);
      exporter_.system_.clock().Disarm(*this);  // opening a device takes the time it takes
      const std::string reply = co_await exporter_.Answer(std::move(line));
      StartDeadline();
      const Bytes piece = TextBytes(reply);
      write.pieces = std::span(&piece, 1);
      const async::SocketOutcome outcome = co_await async::PerformWrite(*socket_, write);
      if (outcome != async::SocketOutcome::kOk) break;
    }
    exporter_.system_.clock().Disarm(*this);
    socket_.reset();  // who waits for an answer hears that there is none
    co_return Result<void>();
  }

  Exporter& exporter_;
  std::unique_ptr<async::Socket> socket_;
  std::optional<async::Job<Result<void>>> job_;
};

Exporter::Exporter(System& system, ExporterOptions options)
    : system_(system),
      options_(std::move(options)),
      server_(system.clock(), options_.limits, options_.log) {}

Exporter::~Exporter() {
  if (!server_.idle()) {
    server_.Stop();
    (void)system_.RunUntil([this] { return server_.idle(); });
  }
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
  Result<std::unique_ptr<OpenedBus>, Failure> result_ =
      Failure{Failure::Kind::kCannotOpen, "the server stops"};
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

Result<std::string, Failure> Exporter::PlugFirst(const std::string& device) {
  auto opened = Open(device);
  if (!opened) return opened.error();
  return app::Run(system_, Plug(device, std::move(*opened)));
}

async::Task<Result<std::string, Failure>> Exporter::Plug(std::string device,
                                                         std::unique_ptr<OpenedBus> opened) {
  auto plugged = std::make_unique<Device>();
  plugged->text = device;
  plugged->opened = std::move(opened);
  const uint32_t number = ++numbers_taken_;
  plugged->bus_id = "1-" + std::to_string(number);
  ExportPlace place;
  place.bus_id = plugged->bus_id;
  place.path = device;
  place.device_number = number + 1;  // 1 is the root hub
  usb::Bus& bus = plugged->opened->bus();
  const usb::DeviceId id = plugged->opened->device_id();
  auto exported = co_await DescribeExport(system_.clock(), bus, id, place);
  if (!exported) {
    Failure failure;
    failure.kind = Failure::Kind::kCannotOpen;
    failure.text = "cannot open " + Printable(device) + ": " + exported.error().Describe();
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

Result<std::string, Failure> Exporter::Listen(const std::string& given) {
  const bool is_tcp = !given.starts_with("unix:") && !given.starts_with("activated:");
  const bool has_port = given.find(':') != std::string::npos && !given.ends_with(']');
  const std::string address = is_tcp && !has_port ? given + ":3240" : given;
  if (is_tcp && !address.starts_with('[') && address.find(':') != address.rfind(':')) {
    return Failure{Failure::Kind::kUsage,
                   "--listen " + address + ": an IPv6 address is written like [::1]:3240"};
  }
  const std::optional<async::IpAddress> ip = async::IpAddress::OfPeer(address);
  const bool is_loopback =
      ip ? ip->is_loopback() : address.substr(0, address.rfind(':')) == "localhost";
  if (is_tcp && !is_loopback && options_.rules.networks.empty() &&
      options_.rules.of_bus_id.empty()) {
    return Failure{Failure::Kind::kUsage,
                   "--listen " + address +
                       " can be reached from elsewhere: say who may, as in --allow 192.168.1.0/24"};
  }
  auto listener = system_.sockets().Listen(address);
  if (!listener) {
    const bool usage = listener.error().kind == ErrorKind::kInvalid;
    return Failure{usage ? Failure::Kind::kUsage : Failure::Kind::kCannotOpen,
                   listener.error().text};
  }
  const std::string taken = (*listener)->address();
  server_.Serve(std::move(*listener), [this](const std::string& peer) { return AdmitPeer(peer); });
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
    controls_.push_back(std::make_unique<ControlConnection>(*this, std::move(socket)));
  }
}

async::Task<std::string> Exporter::Answer(std::string line) {
  const Json request = Json::parse(line, nullptr, false);
  const auto text_of = [&request](const char* key) -> std::string {
    const auto found = request.find(key);
    return found != request.end() && found->is_string() ? found->get<std::string>() : "";
  };
  if (request.is_discarded() || !request.is_object()) {
    const Failure failure{Failure::Kind::kUsage, "a request is one JSON object in one line"};
    co_return Line(Refusal(failure));
  }
  const std::string verb = text_of("request");
  if (verb == "status") co_return StatusLine();
  Json reply;
  reply["schema"] = kSchema;
  reply["ok"] = true;
  if (verb == "plug") {
    std::string device = text_of("device");
    Opening opening(*this, device);
    auto opened = co_await opening;
    if (!opened) co_return Line(Refusal(opened.error()));
    const Result<std::string, Failure> bus_id =
        co_await Plug(std::move(device), std::move(*opened));
    if (!bus_id) co_return Line(Refusal(bus_id.error()));
    reply["bus_id"] = *bus_id;
    co_return Line(reply);
  }
  if (verb == "unplug") {
    const std::string refusal = Unplug(text_of("bus_id"));
    if (!refusal.empty()) {
      const Failure failure{Failure::Kind::kUsage, refusal};
      co_return Line(Refusal(failure));
    }
    co_return Line(reply);
  }
  const Failure failure{Failure::Kind::kUsage,
                        "no request is called " + Quote(verb) + ": plug, unplug or status"};
  co_return Line(Refusal(failure));
}

std::string Exporter::StatusLine() const {
  Json json;
  json["schema"] = kSchema;
  json["ok"] = true;
  json["connections"] = server_.connections_count();
  json["devices"] = Json::array();
  for (const async::UsbIpDeviceStatus& status : server_.devices()) {
    const auto found = devices_.find(status.device.bus_id);
    Json device;
    device["bus_id"] = status.device.bus_id;
    device["device"] = found == devices_.end() ? "" : found->second->text;
    device["vendor_id"] = Hex4(status.device.vendor_id);
    device["product_id"] = Hex4(status.device.product_id);
    device["speed"] = usb::Name(status.device.speed);
    device["imported_by"] = status.peer.empty() ? Json(nullptr) : Json(status.peer);
    device["imports"] = status.imports;
    device["urbs"] = status.urbs;
    device["urbs_under_way"] = status.urbs_under_way;
    device["bytes_in"] = status.bytes_in;
    device["bytes_out"] = status.bytes_out;
    device["unlinks"] = status.unlinks;
    device["refused"] = status.refused;
    json["devices"].push_back(std::move(device));
  }
  return Line(json);
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
  OpenWanted();
  (void)system_.RunUntil([this] {
    const bool controls_done = std::all_of(controls_.begin(), controls_.end(),
                                           [](const auto& control) { return control->done(); });
    return server_.idle() && controls_done && (control_job_ == nullptr || control_job_->done());
  });
  controls_.clear();
  for (auto& [bus_id, device] : devices_) dead_.push_back(std::move(device));
  devices_.clear();
  for (auto& device : leaving_) dead_.push_back(std::move(device));
  leaving_.clear();
  Bury();
}

}  // namespace usbtwin::app
