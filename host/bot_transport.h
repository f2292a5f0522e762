// BotTransport: ScsiTransport over the Bulk-Only Transport. A coroutine shell round
// bot::HostEngine: it owns the buffers, the transfers and the time; the engine decides every step.
// One command at a time. A command that times out or is cancelled is followed by recovery, which
// cannot itself be cancelled and is bounded by its own timeout for each step.
#pragma once

#include <optional>

#include "async/perform.h"
#include "host/ahead.h"
#include "host/scsi_transport.h"
#include "proto/bot_host.h"
#include "usb/link.h"

namespace usbtwin::host {

struct BotTransportOptions {
  uint8_t interface_number = 0;
  usb::EndpointConfig bulk_in;
  usb::EndpointConfig bulk_out;
  uint8_t luns_count = 1;                               // Get Max LUN + 1
  bool sense_on_failure = true;                         // ask REQUEST SENSE after a failed command
  Duration recovery_timeout = std::chrono::seconds(5);  // of each step of recovery
};

// The last rung of recovery: opens the same device anew, configured and claimed as before. Whatever
// comes of it, the link of before must not be used any more: link() is the one to use. After an
// Error, which says why there is no device, everything on that one ends kDisconnected.
class Reopener {
 public:
  virtual async::Task<Result<void>> Reopen() = 0;
  virtual usb::Link& link() = 0;

 protected:
  ~Reopener() = default;
};

class BotTransport final : public ScsiTransport, private Timer {
 public:
  // `reopener` (may be null) outlives the transport, and so does `link` until it is reopened.
  BotTransport(Clock& clock, usb::Link& link, const BotTransportOptions& options,
               Reopener* reopener = nullptr);
  ~BotTransport() override;

  const char* name() const override { return "bot"; }
  uint16_t queue_depth() const override { return 1; }
  uint8_t luns_count() const override { return options_.luns_count; }
  uint32_t cdb_length_max() const override { return wire::bot::kCommandBlockLengthMax; }
  bool lends_data() const override { return lends_data_; }
  // kBusy while another command runs; kInvalid for what BOT cannot carry.
  async::Task<Result<ScsiResult>> Execute(ScsiRequest request) override;

  const char* last_recovery() const override;
  uint64_t reopenings_count() const override {
    return rung_counts_[static_cast<size_t>(bot::Rung::kReopen)];
  }
  std::vector<RecoveryCount> recoveries() const override;

  // Whether a command's transfers go out together; on far links they do. To measure what it brings.
  void set_submits_ahead(bool submits) { far_ = submits; }

  // What the last Execute that failed, or needed recovery, had to do.
  bot::Rung last_rung() const { return last_rung_; }

 private:
  // What the coroutine must wait for.
  enum class Step : uint8_t { kTransfer, kPort, kReopen, kFinished };

  std::optional<Error> Refuse(const ScsiRequest& request) const;
  Step Prepare(const bot::HostAction& action, const ScsiRequest& request, usb::Transfer& transfer);
  void PrepareData(const bot::HostAction& action, const ScsiRequest& request,
                   usb::Transfer& transfer);
  // Tells the engine how the transfer ended.
  void Deliver(const bot::HostAction& action, const ScsiRequest& request, usb::Transfer& transfer,
               usb::Outcome outcome);
  void DeliverData(const bot::HostAction& action, const ScsiRequest& request,
                   usb::Transfer& transfer, usb::Outcome outcome);
  // On a far link the transfers of a command go out together, each where the engine is expected to
  // ask for it. What it asks for in their place ends them first.
  void SubmitAhead(const ScsiRequest& request);
  Ahead* FindAhead(const bot::HostAction& action);
  bool KeepsAhead(const bot::HostAction& action) const;
  async::Task<void> DropAhead();
  Result<ScsiResult> Conclude();

  void SetDeadline(Duration from_now);
  void HandleTimer() override;

  Clock& clock_;
  usb::Link* link_;
  const bool lends_data_;  // caps() is constant, and a reopened device is the same one
  const BotTransportOptions options_;
  Reopener* const reopener_;
  bot::HostEngine engine_;
  usb::Transfer transfer_;
  usb::PortOp port_op_;
  bool far_;
  std::array<Ahead, 3> aheads_;                    // wrapper, data and status of one command
  std::array<bot::HostAction, 3> aheads_actions_;  // what each is for
  size_t ahead_ = 0;                               // the next one to be asked for
  size_t aheads_count_ = 0;
  wire::bot::CommandStatusWrapper status_{};
  std::array<uint8_t, bot::HostEngine::kSenseLength> sense_{};
  ScsiResult result_;
  bool busy_ = false;
  bool aheads_expired_ = false;           // the deadline was over for all that were left of them
  usb::Transfer* waiting_for_ = nullptr;  // with the link
  Ahead* waiting_ahead_ = nullptr;        // where it is one of them
  bool timed_out_ = false;
  TimePoint deadline_ = kNever;
  std::optional<Error> lost_;  // why the last Reopen brought no device
  bot::Rung last_rung_ = bot::Rung::kNone;
  std::array<uint64_t, static_cast<size_t>(bot::Rung::kReopen) + 1> rung_counts_{};
};

}  // namespace usbtwin::host
