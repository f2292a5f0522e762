#include "async/usbip_server.h"

#include <algorithm>

#include "async/usbip_connection.h"

namespace usbtwin::async {

// Takes connections from one listener until it is told to stop.
class UsbIpServer::Acceptor final : private usb::Sink<SocketAccept>, private Deferred {
 public:
  Acceptor(UsbIpServer& server, std::unique_ptr<Listener> listener, Admit admit)
      : server_(server), listener_(std::move(listener)), admit_(std::move(admit)) {}
  ~Acceptor() {
    if (linked()) Unlink();
  }

  void Start() {
    accept_.outcome = SocketOutcome::kPending;
    accept_.Push(*this);
    listener_->Accept(accept_);
  }
  void Stop() { listener_->Cancel(accept_); }

 private:
  void OnDone(SocketAccept& accept, uint64_t) override {
    if (accept.outcome == SocketOutcome::kOk) {
      Take(std::move(accept.socket));
      if (!server_.stopping_) return Start();
    } else if (accept.outcome == SocketOutcome::kFault && !server_.stopping_) {
      // The listener is open all the same, and waits until it can let somebody in.
      server_.Tell(listener_->address() + ": " + accept.why);
      return Start();
    } else if (!server_.stopping_) {
      server_.Tell(listener_->address() +
                   ": no connection is accepted any more: " + Name(accept.outcome));
    }
    server_.clock_.Post(*this);
  }
  void Take(std::unique_ptr<Socket> socket) {
    const std::string refusal = admit_ ? admit_(socket->peer()) : "";
    if (refusal.empty()) return server_.Accept(std::move(socket));
    server_.TellOfStranger(socket->peer() + ": refused: " + refusal);
  }
  void Run() override { server_.HandleAcceptorDone(*this); }

  UsbIpServer& server_;
  const std::unique_ptr<Listener> listener_;
  const Admit admit_;
  SocketAccept accept_;
};

UsbIpServer::UsbIpServer(Clock& clock, const UsbIpLimits& limits, Log log)
    : clock_(clock),
      limits_(limits),
      log_(std::move(log)),
      stranger_log_(clock, limits.stranger_lines_max, "about peers that imported nothing", log_),
      import_log_(clock, limits.import_lines_max, "about devices imported and given back", log_) {}

UsbIpServer::~UsbIpServer() {
  CHECK(idle());
}

Result<void> UsbIpServer::Add(UsbIpExport device) {
  const std::string bus_id = device.device.bus_id;
  if (!usbip::IsBusId(bus_id)) {
    return Error{.kind = ErrorKind::kInvalid,
                 .text = "a bus id is 1 to 31 letters, digits, '-', '.', ':' and '_'"};
  }
  if (entries_.contains(bus_id)) {
    return Error{.kind = ErrorKind::kBusy, .text = "the bus id is taken"};
  }
  auto entry = std::make_unique<Entry>();
  entry->status.device = device.device;
  entry->exported = std::move(device);
  entries_.emplace(bus_id, std::move(entry));
  return {};
}

bool UsbIpServer::Remove(const std::string& bus_id) {
  const auto found = entries_.find(bus_id);
  if (found == entries_.end()) return false;
  std::unique_ptr<Entry> entry = std::move(found->second);
  entries_.erase(found);
  if (entry->importer == nullptr) {
    if (entry->exported.released) entry->exported.released();
    return true;
  }
  UsbIpConnection& importer = *entry->importer;
  leaving_.push_back(std::move(entry));
  importer.EndSoon("the device is no longer exported");
  return true;
}

UsbIpServer::Entry* UsbIpServer::Find(const std::string& bus_id) {
  const auto found = entries_.find(bus_id);
  return found == entries_.end() ? nullptr : found->second.get();
}

std::vector<usbip::Device> UsbIpServer::ListFor(const std::string& peer) const {
  std::vector<usbip::Device> devices;
  for (const auto& [bus_id, entry] : entries_) {
    const UsbIpExport& exported = entry->exported;
    if (!exported.admit || exported.admit(peer).empty()) devices.push_back(exported.device);
  }
  return devices;
}

void UsbIpServer::Serve(std::unique_ptr<Listener> listener, Admit admit) {
  CHECK(!stopping_);
  acceptors_.push_back(std::make_unique<Acceptor>(*this, std::move(listener), std::move(admit)));
  acceptors_.back()->Start();
}

size_t UsbIpServer::handshakes_count() const {
  return static_cast<size_t>(
      std::count_if(connections_.begin(), connections_.end(),
                    [](const auto& connection) { return connection->in_handshake(); }));
}

size_t UsbIpServer::places_count() const {
  return static_cast<size_t>(
      std::count_if(connections_.begin(), connections_.end(),
                    [](const auto& connection) { return connection->holds_place(); }));
}

// False where no party has more handshakes than the newcomer's.
bool UsbIpServer::MakePlaceFor(const std::string& peer) {
  std::map<Party, size_t> counts;
  for (const auto& connection : connections_) {
    if (connection->in_handshake()) ++counts[connection->party()];
  }
  const size_t own = counts[Party::Of(peer)];
  size_t most = 0;
  for (const auto& [party, count] : counts) most = std::max(most, count);
  if (most <= own) return false;
  for (const auto& connection : connections_) {  // the oldest one first
    if (!connection->in_handshake() || counts[connection->party()] != most) continue;
    TellOfStranger(connection->peer() +
                   ": closed for another peer: nobody has more connections that have not yet "
                   "said what they want");
    connection->End("its place was needed");
    return true;
  }
  return false;
}

void UsbIpServer::Accept(std::unique_ptr<Socket> socket) {
  if (stopping_) return;
  if (places_count() >= limits_.connections_max && !MakePlaceFor(socket->peer())) {
    return TellOfStranger(socket->peer() + ": refused: there are " +
                          std::to_string(places_count()) + " connections already");
  }
  if (handshakes_count() >= limits_.handshakes_max && !MakePlaceFor(socket->peer())) {
    return TellOfStranger(socket->peer() + ": refused: " + std::to_string(limits_.handshakes_max) +
                          " connections have not yet said what they want");
  }
  connections_.push_back(std::make_unique<UsbIpConnection>(*this, std::move(socket)));
  connections_.back()->Start();
}

Result<void> UsbIpServer::Attach(const std::string& bus_id, std::unique_ptr<Socket> socket) {
  Entry* entry = Find(bus_id);
  if (entry == nullptr) return Error{.kind = ErrorKind::kNotFound, .text = "no such bus id"};
  if (entry->importer != nullptr || stopping_) {
    return Error{.kind = ErrorKind::kBusy, .text = "somebody has imported the device"};
  }
  connections_.push_back(std::make_unique<UsbIpConnection>(*this, std::move(socket)));
  connections_.back()->StartImported(*entry);
  return {};
}

void UsbIpServer::Stop() {
  if (std::exchange(stopping_, true)) return;
  stranger_log_.Flush();
  import_log_.Flush();
  for (const auto& acceptor : acceptors_) acceptor->Stop();
  for (const auto& connection : connections_) connection->EndSoon("the server stops");
}

void UsbIpServer::HandleConnectionDone(UsbIpConnection& connection) {
  std::erase_if(connections_, [&](const auto& one) { return one.get() == &connection; });
  std::erase_if(leaving_, [](const auto& entry) {
    if (entry->importer != nullptr) return false;
    if (entry->exported.released) entry->exported.released();
    return true;
  });
  for (const auto& one : connections_) one->HandleDeviceFree();
  if (stopping_ && connections_.empty()) import_log_.Flush();
}

void UsbIpServer::HandleAcceptorDone(Acceptor& acceptor) {
  std::erase_if(acceptors_, [&](const auto& one) { return one.get() == &acceptor; });
}

std::vector<UsbIpConnectionStatus> UsbIpServer::connections() const {
  std::vector<UsbIpConnectionStatus> all;
  for (const auto& connection : connections_) all.push_back(connection->status());
  return all;
}

std::vector<UsbIpDeviceStatus> UsbIpServer::devices() const {
  std::vector<UsbIpDeviceStatus> all;
  for (const auto& [bus_id, entry] : entries_) {
    all.push_back(entry->status);
    if (entry->importer == nullptr) continue;
    const UsbIpConnectionStatus importer = entry->importer->status();
    all.back().urbs_under_way = importer.urbs_under_way;
    all.back().bytes_held = importer.bytes_held;
    all.back().bytes_spare = importer.bytes_spare;
  }
  return all;
}

}  // namespace usbtwin::async
