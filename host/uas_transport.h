// UasTransport: ScsiTransport over USB Attached SCSI, many commands at once. A shell round
// uas::HostEngine: each command is one coroutine that waits for its end; what happens on the pipes
// goes to the engine, which routes it by tag and says what to do next. Without streams one set of
// reads of the status pipe serves all commands, as long as there are any.
//
// A command that times out or is cancelled ends when the device has let go of it: the engine's
// ladder runs meanwhile, each step bounded by a timeout of its own. Port resets and reopening run
// in a coroutine of the transport, which no caller can cancel.
#pragma once

#include <memory>
#include <optional>

#include "async/perform.h"
#include "host/bot_transport.h"
#include "host/scsi_transport.h"
#include "proto/uas_host.h"
#include "usb/link.h"

namespace usbtwin::host {

struct UasTransportOptions {
  usb::EndpointConfig command;
  usb::EndpointConfig status;
  usb::EndpointConfig data_in;
  usb::EndpointConfig data_out;
  uint16_t streams_count = 0;  // that the link has granted to each pipe but the first; 0: none
  uint16_t depth_max = 32;     // commands at once, from 1 on; streams may allow fewer
  uint8_t luns_count = 1;
  // How long data may be late once the status has come.
  Duration drain_timeout = std::chrono::seconds(1);
  Duration recovery_timeout = std::chrono::seconds(5);  // of each answer to task management
};

class UasTransport final : public ScsiTransport {
 public:
  // `reopener` (may be null) outlives the transport, and so does `link` until it is reopened.
  UasTransport(Clock& clock, usb::Link& link, const UasTransportOptions& options,
               Reopener* reopener = nullptr);
  ~UasTransport() override;

  const char* name() const override { return "uasp"; }
  uint16_t queue_depth() const override { return engine_.options().depth; }
  uint8_t luns_count() const override { return luns_count_; }
  void set_luns_count(uint8_t luns_count) { luns_count_ = luns_count; }
  uint32_t cdb_length_max() const override { return uas::HostEngine::kCommandBlockLengthMax; }
  bool lends_data() const override { return lends_data_; }
  // kBusy while queue_depth() commands run; kInvalid for what UAS cannot carry.
  async::Task<Result<ScsiResult>> Execute(ScsiRequest request) override;

  const char* last_recovery() const override;
  uint64_t reopenings_count() const override { return reopenings_count_; }
  std::vector<RecoveryCount> recoveries() const override;

  // Asks the link for streams on the three pipes: how many each has now. kUnsupported where it has
  // none or gives none, with what it said.
  static async::Task<Result<uint16_t>> AllocateStreams(usb::Link& link,
                                                       const UasTransportOptions& options);

 private:
  enum Word : uint64_t { kWordIu, kWordData, kWordStatus };

  // The legs of one tag. Those of task management have neither data nor anybody who waits.
  class Slot final : private usb::TransferSink,
                     private Timer,
                     private Deferred,
                     private async::CancelHook {
   public:
    Slot(UasTransport& transport, uint16_t tag) : transport_(transport), tag_(tag) {}
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot() { transport_.clock_.Disarm(*this); }

    void Begin(const ScsiRequest& request);
    void SendIu();
    void ReadStatus();
    void MoveData(const uas::HostAction& action);
    void Cancel(Word leg);
    void SetDeadline(Duration from_now);
    void HandleDraining();  // data is late, but the status is there
    void Finish();          // resumes who waits, later

    // co_await slot.Wait(): until Finish was called. Cancelling the chain cancels the command.
    class Awaiter {
     public:
      explicit Awaiter(Slot& slot) : slot_(slot) {}
      bool await_ready() const { return slot_.finished_; }
      template <class Promise>
      void await_suspend(std::coroutine_handle<Promise> handle) {
        slot_.root_ = &handle.promise().root();
        slot_.handle_ = handle;
        slot_.root_->set_hook(&slot_);
        if (slot_.root_->stopping()) slot_.Cancel();
      }
      void await_resume() const {}

     private:
      Slot& slot_;
    };
    Awaiter Wait() { return Awaiter(*this); }

   private:
    void OnDone(usb::Transfer& transfer, uint64_t word) override;
    void HandleTimer() override;
    void Run() override;
    void Cancel() override;
    usb::Transfer& TransferOf(Word leg);
    void Submit(Word leg);

    UasTransport& transport_;
    const uint16_t tag_;
    ScsiRequest request_;
    usb::Transfer iu_;
    usb::Transfer data_;
    usb::Transfer status_;
    std::array<uint8_t, uas::HostEngine::kIuLengthMax> status_room_{};
    TimePoint deadline_ = kNever;
    bool draining_ = false;
    bool finished_ = false;
    async::Root* root_ = nullptr;
    std::coroutine_handle<> handle_;
  };

  // A read of the shared status pipe.
  class Read final : private usb::TransferSink {
   public:
    explicit Read(UasTransport& transport) : transport_(transport) {}
    bool out() const { return out_; }
    void Submit();
    void Cancel();

   private:
    void OnDone(usb::Transfer& transfer, uint64_t word) override;

    UasTransport& transport_;
    usb::Transfer transfer_;
    std::array<uint8_t, uas::HostEngine::kIuLengthMax> room_{};
    bool out_ = false;
  };

  // How long an answer to task management may take.
  class Patience final : public Timer {
   public:
    explicit Patience(UasTransport& transport) : transport_(transport) {}
    void HandleTimer() override;

   private:
    UasTransport& transport_;
  };

  // Who waits until nothing is under way any more.
  class Quiet final : private Deferred {
   public:
    explicit Quiet(UasTransport& transport) : transport_(transport) {}
    bool await_ready() const { return transport_.AtRest(); }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> handle) {
      root_ = &handle.promise().root();
      handle_ = handle;
      transport_.quiet_ = this;
    }
    void await_resume() const {}
    void Wake() { transport_.clock_.Post(*this); }

   private:
    void Run() override { root_->Resume(handle_); }

    UasTransport& transport_;
    async::Root* root_ = nullptr;
    std::coroutine_handle<> handle_;
  };

  std::optional<Error> Refuse(const ScsiRequest& request) const;
  Slot& SlotOf(uint16_t tag);
  // Something has happened to this tag (a device's word, if the pipe is shared).
  void HandleProgress(uint16_t tag);
  // Does what the engine asks for, until it asks for nothing.
  void Drain();
  void Do(const uas::HostAction& action);
  void SubmitRead();
  // Nothing is under way, or another command looks after it.
  bool AtRest() const { return engine_.idle() || engine_.tasks_count() != 0; }
  async::Task<bool> Recover();
  async::Task<usb::Outcome> ResetPort();
  async::Task<usb::Outcome> Reopen();
  async::Task<usb::Outcome> GetStreams();
  Result<ScsiResult> Conclude(uint16_t tag);
  uint8_t EndpointOf(const Error& error) const;

  Clock& clock_;
  usb::Link* link_;
  const bool lends_data_;
  const UasTransportOptions options_;
  uint8_t luns_count_;
  Reopener* const reopener_;
  uas::HostEngine engine_;
  std::vector<std::unique_ptr<Slot>> slots_;  // by tag; made when first needed, used again
  std::vector<std::unique_ptr<Read>> reads_;
  Patience patience_;
  Quiet* quiet_ = nullptr;
  bool draining_ = false;
  std::optional<uas::HostAction::Kind> port_work_;  // what Recover is to do next
  std::optional<async::Job<bool>> recovery_;
  std::optional<Error> lost_;  // why the last reopening brought no device
  uint64_t reopenings_count_ = 0;
  uas::Rung last_rung_ = uas::Rung::kNone;
  std::array<uint64_t, static_cast<size_t>(uas::Rung::kReopen) + 1> rung_counts_{};
};

}  // namespace usbtwin::host
