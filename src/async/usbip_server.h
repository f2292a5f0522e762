// UsbIpServer: exports devices over USB/IP, any that a usb::Bus can open, to any number of peers;
// each device to one at a time. What a peer sends is hostile: every length and count is held
// against a limit before anything is made of it, and what breaks the protocol ends that connection
// and nothing else. Headers are always read, so that an unlink is always answered: a submit beyond
// a limit is refused with ENOMEM, its data dropped. Only while a peer does not take its replies is
// nothing more read from it.
//
// Where Listeners come from and who may connect is its owner's business.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "async/bounded_log.h"
#include "async/socket.h"
#include "proto/usbip_ops.h"
#include "usb/bus.h"
#include "usb/descriptors.h"

namespace usbtwin::async {

struct UsbIpLimits {
  size_t connections_max = 64;  // those that have not said yet what they want included
  // Of them. Beyond it, or beyond connections_max, a newcomer takes the place of the oldest
  // handshake of the party that has most of them, where those are more than its own party's.
  size_t handshakes_max = 16;
  Duration handshake_time = std::chrono::seconds(10);
  Duration leaving_time = std::chrono::seconds(1);  // to close, once the whole answer was written
  size_t urbs_max = 256;                            // under way, of one device
  uint32_t urb_length_max = 1 << 20;  // bytes of one transfer; the device's link may lower it
  size_t urb_bytes_max = 32 << 20;    // of all transfers under way of one device
  size_t reply_bytes_max = 4 << 20;   // queued for a peer; beyond, nothing is read from it
  Duration stop_time = std::chrono::seconds(2);  // for the last replies, when the server stops
  size_t stranger_lines_max = 10;  // told each second of peers that have imported nothing
  size_t import_lines_max = 10;    // and of devices that were imported and given back
};

// A device to be exported. The bus outlives the server.
struct UsbIpExport {
  usbip::Device device;  // bus_id is its name here
  usb::Bus* bus = nullptr;
  usb::DeviceId id;
  std::vector<usb::Configuration> configurations;
  usb::KernelDriverPolicy kernel_driver = usb::KernelDriverPolicy::kRefuse;
  // Who may import it, and hears of it when he asks for a list: "", or why not. Nothing: everybody
  // who may connect.
  std::function<std::string(const std::string& peer)> admit;
  // Called once after Remove, when the server is done with the device, from the clock's loop or
  // from inside Remove.
  std::function<void()> released;
};

struct UsbIpDeviceStatus {
  usbip::Device device;
  std::string peer;            // who has imported it; "" where nobody has
  std::string last_end;        // why the last one gave it back
  bool ended_by_peer = false;  // it wanted to, or its end of the connection was lost
  uint64_t imports = 0;
  uint64_t urbs = 0;       // submitted
  uint64_t bytes_in = 0;   // to the peers
  uint64_t bytes_out = 0;  // to the device
  uint64_t unlinks = 0;
  uint64_t refused = 0;  // beyond a limit, or nonsense
  size_t urbs_under_way = 0;
  size_t bytes_held = 0;   // memory of transfers, until their replies are sent
  size_t bytes_spare = 0;  // and what is kept for those to come
};

struct UsbIpConnectionStatus {
  std::string peer;
  std::string bus_id;  // of the device that it imports; "" for none
  size_t urbs_under_way = 0;
  size_t bytes_held = 0;  // as UsbIpDeviceStatus has them
  size_t bytes_spare = 0;
  size_t reply_bytes = 0;  // queued, and not yet taken by the peer
};

class UsbIpConnection;

class UsbIpServer {
 public:
  // One line for people. It may hold what a peer sent; whoever shows it makes it printable.
  using Log = BoundedLog::Log;

  UsbIpServer(Clock& clock, const UsbIpLimits& limits, Log log);
  UsbIpServer(const UsbIpServer&) = delete;
  UsbIpServer& operator=(const UsbIpServer&) = delete;
  ~UsbIpServer();  // idle()

  // kBusy where the bus id is taken, kInvalid where it is none.
  Result<void> Add(UsbIpExport device);
  // Whoever imported it loses it. False where there is none of that name.
  bool Remove(const std::string& bus_id);

  // Takes connections until Stop. `admit` is asked for each peer, and says "" or why not.
  using Admit = std::function<std::string(const std::string& peer)>;
  void Serve(std::unique_ptr<Listener> listener, Admit admit);
  // A connection that somebody else accepted.
  void Accept(std::unique_ptr<Socket> socket);
  // A connection whose device is already agreed on: the kernel's end of a socket pair. kNotFound,
  // or kBusy where it is imported.
  Result<void> Attach(const std::string& bus_id, std::unique_ptr<Socket> socket);

  // Ends all connections: replies that are queued are still sent, for stop_time at most.
  void Stop();
  bool stopping() const { return stopping_; }
  // Nothing is left: no connection, no listener, no device being put in order.
  bool idle() const { return connections_.empty() && acceptors_.empty(); }

  const UsbIpLimits& limits() const { return limits_; }
  std::vector<UsbIpDeviceStatus> devices() const;
  std::vector<UsbIpConnectionStatus> connections() const;
  size_t connections_count() const { return connections_.size(); }
  size_t handshakes_count() const;

 private:
  friend class UsbIpConnection;
  class Acceptor;
  struct Entry {
    UsbIpExport exported;
    UsbIpDeviceStatus status;
    UsbIpConnection* importer = nullptr;  // until its device is in order again
  };

  Entry* Find(const std::string& bus_id);
  // Those that a peer may import.
  std::vector<usbip::Device> ListFor(const std::string& peer) const;
  void Tell(const std::string& line) const { log_(line); }
  // What one peer may cause again and again.
  void TellOfImport(const std::string& line) { import_log_.Tell(line); }
  // The same of a peer that has imported nothing: limited, since anybody can be one.
  void TellOfStranger(const std::string& line) { stranger_log_.Tell(line); }
  void HandleConnectionDone(UsbIpConnection& connection);
  void HandleAcceptorDone(Acceptor& acceptor);
  size_t places_count() const;  // that are taken
  bool MakePlaceFor(const std::string& peer);

  Clock& clock_;
  const UsbIpLimits limits_;
  const Log log_;
  BoundedLog stranger_log_;
  BoundedLog import_log_;
  bool stopping_ = false;
  std::map<std::string, std::unique_ptr<Entry>> entries_;
  std::vector<std::unique_ptr<Entry>> leaving_;  // removed, and not yet given back
  std::vector<std::unique_ptr<UsbIpConnection>> connections_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
};

}  // namespace usbtwin::async
