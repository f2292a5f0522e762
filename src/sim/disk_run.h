// DiskRun: one run of the simulation. A twin drawn by the swarm, a host stack that opens it and
// drives it, faults between them and inside, and the oracle, all in one World under one Chooser.
// Every answer is judged as it comes, all blocks once more at the end. What is not allowed ends the
// run with a sentence.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "app/decorated_bus.h"
#include "app/system.h"
#include "app/twin.h"
#include "host/block_device.h"
#include "host/session.h"
#include "link/fault_bus.h"
#include "link/fault_player.h"
#include "proto/scsi_command.h"
#include "sim/expected_data.h"
#include "sim/model_disk.h"
#include "sim/report_judge.h"
#include "sim/swarm.h"
#include "sim/usbip_path.h"
#include "sim/world.h"
#include "sim/world_store.h"
#include "sim/wrong.h"

namespace usbtwin::sim {

struct RunOptions {
  uint64_t commands = 5000;  // after which the run ends, and all is read back
  SwarmOptions swarm;
  ByteSink* record = nullptr;  // a capture of all that passed, in pcapng
};

// What became of the faults of one kind. A fault whose effect did not reach the host counts as
// injected only. Each that was observed has one end:
//   recovered   the command ended well and whole, after whatever it took
//   reported    the caller was told of an error or of a failed status
//   passed_on   the status is good and the answer bears the fault: other bytes, or fewer
//   cancelled   the caller took the command back before any of that
//   outside     no command was under way: the host was opening the device, or closing it
struct FaultCount {
  uint64_t injected = 0;
  uint64_t observed = 0;
  uint64_t recovered = 0;
  uint64_t reported = 0;
  uint64_t passed_on = 0;
  uint64_t cancelled = 0;
  uint64_t outside = 0;

  void Add(const FaultCount& other);
};

// What was between the devices and hosts of some runs.
struct UsbIpCount {
  uint64_t runs = 0;
  uint64_t connections = 0;
  uint64_t broken = 0;    // of those
  uint64_t silenced = 0;  // the same: half-open, until the systems at both ends found out

  void Add(const UsbIpCount& other);
};

struct RunReport {
  uint64_t runs = 0;
  uint64_t commands = 0;
  uint64_t reads = 0;
  uint64_t writes = 0;
  uint64_t blocks_moved = 0;
  uint64_t bytes_compared = 0;
  uint64_t good = 0;       // commands that ended well
  uint64_t cancelled = 0;  // that ended because the host took them back
  uint64_t interrupted =
      0;  // that the host would take back, or had a deadline for, before their end
  uint64_t opened = 0;
  uint64_t block_runs = 0;  // whose host had blocks
  Duration virtual_time{};
  std::array<FaultCount, fault::kKindsCount> faults{};
  UsbIpCount usbip;
  uint64_t power_losses = 0;
  uint64_t rolled_back = 0;         // blocks that they were seen to take back to older versions
  std::array<uint64_t, 6> rungs{};  // commands by the highest rung of recovery; bot::Rung
  uint64_t history = 0;             // a digest of every answer and its time

  void Add(const RunReport& other);
};

struct RunResult {
  RunReport report;
  std::string failure;          // empty: all was as it must be
  Law law = Law::kNone;         // that was broken
  bool stuck = false;           // something never ends; such a run stays in memory
  uint64_t failed_command = 0;  // counted from 1; commands + 1 for the end of the run
};

class DiskRun final : private link::BreachSink {
 public:
  // The chooser outlives the run.
  DiskRun(Chooser& chooser, const RunOptions& options);
  ~DiskRun();

  RunResult Run();
  // After Run: something is under way that will never end. The run cannot be destroyed then.
  bool stuck() const { return stuck_; }

 private:
  static constexpr uint64_t kStepsMax = 2'000'000;  // of one command

  // The system of one world: its clock, its media, and neither files nor sockets.
  class WorldSystem final : public app::System {
   public:
    WorldSystem(World& world, const Swarm& swarm) : world_(world), swarm_(swarm) {}
    Clock& clock() override { return world_; }
    Duration epoch_offset() const override { return {}; }
    bool RunUntil(const std::function<bool()>& done) override;
    async::SocketProvider& sockets() override { return sockets_; }
    Result<app::RealBus*, app::Failure> real_bus() override;
    Result<std::unique_ptr<emulator::BlockStore>, app::Failure> OpenImage(
        const std::string& path, const app::ImageOptions& options) override;
    Result<std::vector<uint8_t>, app::Failure> ReadFile(const std::string& path,
                                                        size_t length_max) override;
    Result<void, app::Failure> CheckOutputs(const app::FileNames&) override { return {}; }
    Result<std::unique_ptr<ByteSink>, app::Failure> CreateFile(const std::string& path) override;

    // The stores of the units, which are the twin's.
    const std::vector<const WorldStore*>& stores() const { return stores_; }

   private:
    World& world_;
    const Swarm& swarm_;
    std::vector<const WorldStore*> stores_;
    async::NoSockets sockets_{world_};
  };
  // Ends a pause, or asks a command to end.
  struct Alarm final : Timer {
    explicit Alarm(const World& in) : world(in) {}
    void HandleTimer() override {
      rang = true;
      if (cancelled != nullptr) Cancel();
    }
    void Cancel() {
      when_cancelled = world.Now();
      step_cancelled = world.steps();
      cancelled->Cancel();
    }
    const World& world;
    bool rang = false;
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
  // Puts a Throttle on every Link it opens, where transfers take time.
  class SlowBus final : public usb::Bus, private usb::Sink<usb::OpenOp> {
   public:
    SlowBus(Clock& clock, usb::Bus& inner, Duration latency)
        : clock_(clock), inner_(inner), latency_(latency) {}
    Result<std::vector<usb::DeviceInfo>> Enumerate() override { return inner_.Enumerate(); }
    void Open(usb::OpenOp& op) override;

   private:
    void OnDone(usb::OpenOp& op, uint64_t word) override;
    Clock& clock_;
    usb::Bus& inner_;
    const Duration latency_;
  };
  // A command as it is about to be sent, and what the model must be told afterwards.
  struct Request {
    enum class Kind : uint8_t { kRead, kWrite, kSynchronize, kVerify, kCapacity, kOther, kOdd };
    Kind kind = Kind::kOther;
    uint8_t lun = 0;
    uint64_t lba = 0;
    uint32_t blocks = 0;
    bool force_unit_access = false;
    bool lent = false;
    bool needs_medium = true;
    bool writes = false;
    bool out = false;  // data goes to the unit
    // No unit carries it out: the sense, and the block that it names.
    std::optional<ExpectedSense> refusal;
    uint64_t refusal_block = 0;
    ModelDisk::Version version = 0;
    scsi::Cdb cdb;
    uint32_t length = 0;  // bytes of data
  };
  // A loan that is kept for a while, with a copy of what it held.
  struct Loan {
    LeaseList leases;
    std::vector<uint8_t> bytes;
  };

  void OnBreach(const link::Breach& breach) override;

  bool failed() const { return !result_.failure.empty(); }
  void Fail(Law law, std::string text);
  void Fail(const Wrong& wrong) { Fail(wrong.law, wrong.text); }
  // Runs the world until the job has finished; false, with the failure told, where it cannot.
  template <class T>
  bool Finish(async::Job<T>& job, const char* what) {
    const Result<void, World::Trouble> finished =
        world_.RunUntil([&job] { return job.done(); }, kStepsMax);
    if (!finished) FailStuck(finished.error(), what);
    return finished.has_value();
  }
  void FailStuck(World::Trouble trouble, const char* what);
  bool Sleep(Duration length);
  // Where the swarm put USB/IP between.
  bool StartUsbIp();
  void StopUsbIp();
  // Asks for trouble with connections; true where there was some since it was last asked, or still
  // is.
  bool NoteConnections();
  bool Open();
  void Close();
  bool Reopen();
  bool BeginScript();

  Request Draw();
  Request Next();
  std::optional<Interruption> DrawCancel();
  Duration DrawTimeout();
  Duration DrawWait();  // after a command that failed
  void DrawRange(Request& request);
  void Build(Request& request);
  void BuildWrite(Request& request);
  void BuildQuestion(Request& request);
  void BuildOdd(Request& request);
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
  void NotePlayedOutside();
  bool Due(uint64_t& next, uint64_t one_in, std::string_view what);
  void Mix(uint64_t value);  // into the digest of the history
  void Digest(const Request& request, const Result<host::ScsiResult>& answer);
  // Of the command that has just ended.
  std::span<const fault::Injection> Injections() const;
  const fault::Rule& RuleOf(const fault::Injection& injection) const {
    return player_.plan().rules[injection.rule];
  }
  // Flips the bits of data-in back that were flipped on their way.
  void Unflip(MutableBytes bytes) const;
  void Unflip(const fault::Injection& injection, MutableBytes bytes) const;
  bool Injected(fault::Kind kind) const;
  void KeepLoan(const Request& request);
  void CheckLoan();
  void ReadAllBack();
  void AddWitnesses();

  Chooser& chooser_;
  const RunOptions options_;
  World world_;
  Swarm swarm_;
  WorldSystem system_;
  fault::Player player_;
  std::unique_ptr<app::Twin> twin_;
  std::optional<UsbIpPath> usbip_;     // where the swarm drew it
  PipesCounts connections_before_;     // when NoteConnections was last asked
  std::unique_ptr<SlowBus> slow_bus_;  // where transfers take time
  std::unique_ptr<link::FaultBus> fault_bus_;
  std::unique_ptr<link::PcapWriter> writer_;
  std::unique_ptr<app::DecoratedBus> bus_;
  std::unique_ptr<host::Session> session_;
  host::BotTransport* transport_ = nullptr;    // null: not open
  std::unique_ptr<host::BlockDevice> blocks_;  // of unit 0, where the host has it as blocks
  bool unflushed_ = false;   // something was or may have been written since the last flush
  bool at_risk_ = false;     // something was written that a power loss may take back
  TimePoint last_played_;    // through blocks_
  bool risk_taken_ = false;  // and one came, which the next flush must tell
  std::vector<ModelDisk> models_;
  ReportJudge reports_;
  ExpectedData expected_data_;
  std::vector<uint8_t> room_;
  LeaseList lent_;
  Loan loan_;
  Alarm alarm_{world_};
  const Request* doing_ = nullptr;  // the command under way
  // Members, because one that is stuck cannot be destroyed.
  std::optional<async::Job<Result<host::ScsiResult>>> command_job_;
  std::unique_ptr<async::Job<Result<void>>> session_job_;
  std::unique_ptr<async::Job<Result<host::ScsiTransport*>>> storage_job_;
  std::unique_ptr<async::Job<host::BlockResult>> blocks_job_;
  bool reading_back_ = false;
  uint64_t command_ = 0;
  uint64_t cancel_next_ = 0;
  uint64_t reopen_next_ = 0;
  uint64_t pause_next_ = 0;
  uint64_t serial_before_ = 0;  // of the last injection that the judge of reports was told of
  bool stuck_ = false;
  uint64_t calm_commands_ = 0;  // carried out since something was made to go wrong, or went wrong
  TimePoint start_;             // of the command under way
  uint64_t bytes_read_before_ = 0;  // from its unit's store
  Duration timeout_{};              // its deadline
  bool cancelled_ = false;
  bool hurried_ = false;  // it had a deadline too short for it
  RunResult result_;
};

// Makes a run, runs it and takes it down; one that is stuck stays in memory.
RunResult RunDisk(Chooser& chooser, const RunOptions& options);

}  // namespace usbtwin::sim
