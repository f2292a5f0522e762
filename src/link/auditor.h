// A Link that holds both sides of it to the contract in usb/link.h: what the host asks, and what
// the Link below answers. It sits on top of every test's stack. A breach is reported as a sentence
// with its rule and endpoint, by default to standard error, and then the process aborts. The
// Auditor changes nothing that passes; only what would corrupt memory, a transfer submitted or
// cancelled at the wrong time, is reported and goes no further.
//
// That one completion is not two is seen here where the Auditor is on the transfer's stack; where
// it is not, Operation and IntrusiveList CHECK it.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "link/endpoint_map.h"
#include "link/flight.h"
#include "usb/link.h"

namespace usbtwin::link {

enum class Rule : uint8_t {
  kExactlyOnce,        // 1
  kNotFromInside,      // 2
  kInOrder,            // 3
  kStaysDisconnected,  // 4
  kCancelCompletes,    // 5
  kStaysHalted,        // 6, the Link's half
  kIdleBeforeRequest,  // 6, the host's half
  kNotAsControl,       // 7
  kResetCancels,       // 8
  kRequestMakesSense,  // what the host may ask: usb/transfer.h
  kResultMakesSense,   // what the Link may answer
  kCapsAreConstant,    // LinkCaps
};
const char* Name(Rule rule);  // "in order"

struct Breach {
  Rule rule = Rule::kExactlyOnce;
  usb::EndpointAddress endpoint;  // 0 also for what concerns no endpoint
  uint16_t stream_id = 0;
  std::string text;  // "completes before an earlier one that nobody cancelled"
  std::string Describe() const;
};

class BreachSink {
 public:
  virtual void OnBreach(const Breach& breach) = 0;

 protected:
  ~BreachSink() = default;
};

class Auditor final : public usb::Link, private usb::TransferSink, private usb::PortSink {
 public:
  // Both outlive the Auditor. Without a sink a breach aborts.
  explicit Auditor(usb::Link& inner, BreachSink* sink = nullptr);
  // Whatever is in flight now never completed.
  ~Auditor() override;

  usb::LinkCaps caps() const override;
  void Submit(usb::Transfer& transfer) override;
  void Cancel(usb::Transfer& transfer) override;
  void Request(usb::PortOp& op) override;

  // What the destructor asks; for a test at a moment when all should have completed.
  void CheckNothingInFlight();
  uint64_t in_flight_count() const { return in_flight_count_; }

 private:
  // A pipe is an endpoint, or one stream of it.
  struct Pipe {
    usb::EndpointAddress endpoint;
    uint16_t stream_id = 0;
    Flight flight;
    uint64_t in_flight_count = 0;
    bool halted = false;
    uint32_t clears = 0;        // requests under way that clear a halt
    bool clearing = false;      // was halted when one was made, or stalled since
    uint64_t halted_from = 0;   // what was submitted from here on must not move
    uint64_t resetting_to = 0;  // what was submitted before the reset that is under way
    uint64_t reset_to = 0;      // what was submitted before the last reset that succeeded
  };

  void OnDone(usb::Transfer& transfer, uint64_t word) override;
  void OnDone(usb::PortOp& op, uint64_t word) override;

  [[gnu::format(printf, 4, 5)]] void Report(Rule rule, const usb::Transfer& transfer,
                                            const char* format, ...) const;
  void ReportText(Rule rule, usb::EndpointAddress endpoint, uint16_t stream_id,
                  std::string text) const;

  size_t PipeIndex(const usb::Transfer& transfer);
  Pipe* FindPipe(const usb::Transfer& transfer);
  // Whether `request` resets or reconfigures this pipe. SetAlternate touches the endpoints of its
  // interface, as far as the descriptors that passed tell.
  bool Touches(const usb::PortRequest& request, const Pipe& pipe) const;

  void CheckRequest(const usb::Transfer& transfer) const;
  void CheckControl(const usb::Transfer& transfer) const;
  void CheckData(const usb::Transfer& transfer) const;
  void CheckPackets(const usb::Transfer& transfer) const;
  void CheckIdle(const usb::PortRequest& request) const;
  void CheckDone(const usb::Transfer& transfer, Pipe& pipe, uint64_t sequence) const;
  void CheckResult(const usb::Transfer& transfer) const;
  void CheckIsoResult(const usb::Transfer& transfer) const;
  void CheckPortResult(const usb::PortOp& op) const;
  void HandleRequestMade(const usb::PortRequest& request);
  void HandleRequestDone(const usb::PortOp& op);

  usb::Link& inner_;
  BreachSink* sink_;
  const usb::LinkCaps caps_;
  EndpointMap endpoints_;
  std::deque<Pipe> pipes_;  // never removed: words name them by index
  std::array<uint32_t, usb::kEndpointIndexCount>
      pipe_of_endpoint_{};                       // index + 1, without streams; 0 for none
  std::map<uint32_t, uint32_t> pipe_of_stream_;  // endpoint index and stream id to index
  std::vector<usb::PortOp*> ops_;                // in flight; rarely more than one
  uint64_t in_flight_count_ = 0;
  uint32_t inside_ = 0;  // calls to the inner Link that have not returned
  bool disconnected_ = false;
};

}  // namespace usbtwin::link
