// Gatekeeper: what a foreign host asks (a kernel at the other end of USB/IP, a program's usbfs, a
// recorded host), made fit for a Link. Such a host sends every control request as a transfer, and
// owes the contract of link.h nothing. So the gatekeeper
//   - lets one control transfer through at a time, in order, and turns those that stand for port
//     requests into them (rule 7);
//   - before a port request cancels what is under way on the endpoints it touches, and holds back
//     what comes for them until it is done (rule 6);
//   - claims the interfaces of a configuration that was set, or that a host finds the device in, as
//     the host below owns them now;
//   - knows from the descriptors which endpoints are bulk and which isochronous, which no transfer
//     says;
//   - resets the port for a host that cannot ask for it, where that shows.
// Transfers complete to their sinks as on any Link. Used by whoever takes transfers from outside.
#pragma once

#include <bitset>
#include <deque>
#include <vector>

#include "usb/descriptors.h"
#include "usb/link.h"

namespace usbtwin::link {

class Gatekeeper final : private usb::TransferSink, private usb::PortSink, private Deferred {
 public:
  struct Options {
    std::vector<usb::Configuration> configurations;
    usb::KernelDriverPolicy kernel_driver = usb::KernelDriverPolicy::kRefuse;
    // The same configuration set again is what is left of a port reset: Linux's vhci_hcd resets a
    // port of its own and tells nobody, then its hub driver restores the configuration. A device
    // that needed the reset would never get it.
    bool repeated_configuration_resets = false;
  };
  // The link outlives it; nothing is under way when it goes.
  Gatekeeper(Clock& clock, usb::Link& link, Options options);
  ~Gatekeeper();

  // All transfers come with the same number of sinks.
  void Submit(usb::Transfer& transfer);
  void Cancel(usb::Transfer& transfer);
  bool IsIsochronous(usb::EndpointAddress endpoint) const;
  bool IsBulk(usb::EndpointAddress endpoint) const;

  // Cancels everything and resets the port, so that the next host meets the device as this one did.
  // Nothing is submitted from now on; `done` is posted when nothing is under way.
  void Close(Deferred& done);
  // Something completed kDisconnected: so will everything else.
  bool gone() const { return gone_; }
  uint8_t configuration_value() const { return configuration_value_; }

 private:
  static constexpr uint8_t kControl = 0;  // index of endpoint 0
  // What the link has of a transfer; its number is the word pushed with it.
  struct Flight final : ListNode {
    usb::Transfer* transfer = nullptr;
  };
  struct Pipe {
    IntrusiveList<Flight> under_way;  // in the order they were submitted
    bool closed = false;              // for a port request
  };

  void OnDone(usb::Transfer& transfer, uint64_t word) override;
  void OnDone(usb::PortOp& op, uint64_t word) override;
  void Run() override;
  void Wake();
  void Pass(usb::Transfer& transfer);
  void CancelAll(Pipe& pipe);
  void StartControl();
  void StartPort(const usb::PortRequest& request);
  bool quiet() const;  // the endpoints of the port request
  void RequestPort(const usb::PortRequest& request);
  void HandlePortDone(usb::Outcome outcome);
  bool RepeatsConfiguration(const usb::PortRequest& request) const;
  bool FindsConfiguration(const usb::Transfer& transfer);
  bool ClaimNext();
  void OpenPipes();
  void Learn(const usb::PortRequest& request);
  void LearnIsochronous();
  const usb::Configuration* configuration() const;
  std::bitset<usb::kEndpointIndexCount> EndpointsOf(const usb::PortRequest& request) const;
  void CancelAll();

  Clock& clock_;
  usb::Link& link_;
  const Options options_;
  uint8_t configuration_value_ = 0;
  std::array<uint8_t, 256> alternates_{};
  std::bitset<usb::kEndpointIndexCount> isochronous_;
  std::bitset<usb::kEndpointIndexCount> bulk_;
  bool gone_ = false;

  uint8_t sinks_count_ = 0;  // of a transfer of the host's, until the link has it
  std::deque<Flight> flights_;
  std::vector<size_t> flights_free_;  // their numbers
  std::array<Pipe, usb::kEndpointIndexCount> pipes_;
  IntrusiveList<usb::Transfer> held_;      // for closed pipes
  IntrusiveList<usb::Transfer> controls_;  // behind the one that is under way
  usb::Transfer* control_ = nullptr;       // under way, or standing for port_request_
  // The port request: first its endpoints are emptied, then it is sent, then interfaces claimed.
  std::optional<usb::PortRequest> port_request_;
  bool reset_first_ = false;  // before it, the port
  bool was_reset_ = false;    // as the host asked; no configuration was set since
  bool port_sent_ = false;
  usb::PortOp port_op_;
  size_t claims_count_ = 0;  // interfaces of the configuration that are claimed

  enum class Closing : uint8_t { kNo, kEmptying, kResetting, kClosed };
  Closing closing_ = Closing::kNo;
  Deferred* closed_ = nullptr;
};

}  // namespace usbtwin::link
