// DiskRun: a run whose host speaks Bulk-Only, one command at a time, or has a unit as blocks above
// that. So much is known of each command then that its answer is judged in every respect as it
// comes, and all blocks once more at the end. What is not allowed ends the run with a sentence.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/block_device.h"
#include "sim/report_judge.h"
#include "sim/request_mix.h"
#include "sim/run_base.h"

namespace usbtwin::sim {

class DiskRun final : public RunBase {
 public:
  // The chooser outlives the run.
  DiskRun(Chooser& chooser, const RunOptions& options, Swarm swarm);
  ~DiskRun() override;

  RunResult Run() override;

 private:
  // Asks a command to end.
  struct Alarm final : Timer {
    explicit Alarm(const World& in) : world(in) {}
    void HandleTimer() override {
      if (cancelled != nullptr) Cancel();
    }
    void Cancel() {
      when_cancelled = world.Now();
      step_cancelled = world.steps();
      cancelled->Cancel();
    }
    const World& world;
    async::Job<Result<host::ScsiResult>>* cancelled = nullptr;
    TimePoint when_cancelled;
    uint64_t step_cancelled = 0;
  };
  // When a command is cancelled that has not ended by then: after some time or, where nothing takes
  // any, after so many steps of the world.
  struct Interruption {
    Duration after{};
    uint64_t steps = 0;
  };
  // A loan that is kept for a while, with a copy of what it held.
  struct Loan {
    LeaseList leases;
    std::vector<uint8_t> bytes;
  };

  std::string Waiting() const override;
  std::optional<std::string> JudgeOpening(const Error& error) const override;
  // Asks for trouble with connections; true where there was some since it was last asked, or still
  // is.
  bool NoteConnections();
  bool Open();
  void Close();
  bool Reopen();
  bool BeginScript();

  Request Next();
  std::optional<Interruption> DrawCancel();
  Duration DrawTimeout();
  Duration DrawWait();  // after a command that failed
  void Interrupt(const Interruption& interruption);
  bool Execute(const Request& request);
  // The same through a block device, which is a host of its own: what it is asked, what it did, and
  // whether that was right.
  bool OpenBlocks();
  bool ExecuteBlocks();
  async::Task<host::BlockResult> Ask(const Request& request, MutableBytes room);
  void JudgeBlocks(const Request& request, const host::BlockResult& answer);
  std::optional<std::string> CheckRead(const Request& request);
  void JudgeBlocksGood(const Request& request);
  void JudgeBlocksError(const host::BlockError& error);
  void NoteFlushed(const host::BlockResult& answer);
  bool FinishBlocks(async::Task<host::BlockResult> task, const char* what);

  void Judge(const Request& request, const Result<host::ScsiResult>& answer);
  void JudgeLengths(const Request& request, const host::ScsiResult& answer);
  void JudgeData(const Request& request, const host::ScsiResult& answer);
  void JudgeRead(const Request& request, const host::ScsiResult& answer);
  void JudgeVerify(const Request& request);
  void JudgeSense(const Request& request, const host::ScsiResult& answer);
  SentCommand SentOf(const Request& request) const;
  void JudgeWrite(const Request& request, const Result<host::ScsiResult>& answer);
  void JudgeReport(const Request& request, const Result<host::ScsiResult>& answer);
  void JudgeLone(const SentCommand& sent, const Result<host::ScsiResult>& answer);
  // How something ended that faults were played in.
  enum class Ending : uint8_t { kWell, kWellAndShort, kTold, kCancelled, kOutside };
  Ending EndingOf(const Request& request, const Result<host::ScsiResult>& answer) const;
  // Bytes that a command which ends well moves where nothing goes wrong.
  uint32_t WholeLength(const Request& request) const;
  bool PassedOn(const fault::Injection& injection, Ending ending) const;
  void Account(Ending ending);
  // What was played while no command was under way, for the judge of reports; and for the table,
  // where that was an opening or a closing.
  void NotePlayed();
  void NotePlayedOutside() override;
  void Digest(const Request& request, const Result<host::ScsiResult>& answer);
  // Of the command that has just ended.
  std::span<const fault::Injection> Injections() const;
  // Flips the bits of data-in back that were flipped on their way.
  void Unflip(MutableBytes bytes) const;
  void Unflip(const fault::Injection& injection, MutableBytes bytes) const;
  bool Injected(fault::Kind kind) const;
  void KeepLoan(const Request& request);
  void CheckLoan();
  void ReadAllBack();

  RequestMix mix_;
  host::BotTransport* transport_ = nullptr;    // null: not open
  std::unique_ptr<host::BlockDevice> blocks_;  // of unit 0, where the host has it as blocks
  bool unflushed_ = false;   // something was or may have been written since the last flush
  bool at_risk_ = false;     // something was written that a power loss may take back
  TimePoint last_played_;    // through blocks_
  bool risk_taken_ = false;  // and one came, which the next flush must tell
  ReportJudge reports_;
  std::vector<uint8_t> room_;
  LeaseList lent_;
  Loan loan_;
  Alarm alarm_{world_};
  const Request* doing_ = nullptr;  // the command under way
  std::optional<async::Job<Result<host::ScsiResult>>> command_job_;
  std::unique_ptr<async::Job<host::BlockResult>> blocks_job_;
  bool reading_back_ = false;
  uint64_t cancel_next_ = 0;
  uint64_t reopen_next_ = 0;
  uint64_t pause_next_ = 0;
  uint64_t serial_before_ = 0;  // of the last injection that the judge of reports was told of
  uint64_t calm_commands_ = 0;  // carried out since something was made to go wrong, or went wrong
  TimePoint start_;             // of the command under way
  uint64_t bytes_read_before_ = 0;  // from its unit's store
  Duration timeout_{};              // its deadline
  bool cancelled_ = false;
  bool hurried_ = false;  // it had a deadline too short for it
};

}  // namespace usbtwin::sim
