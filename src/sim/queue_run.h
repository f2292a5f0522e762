// QueueRun: a run whose host speaks UAS, with as many commands at once as the swarm drew. Commands
// come in waves: a wave begins when nothing is under way, and its commands begin and end in any
// order. Data is judged by all that the wave wrote (wave.h); a report by all that was played while
// it ran (wave_judge.h), since what meets one command may cost others theirs: a reset of the port
// ends them all.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/uas_transport.h"
#include "sim/request_mix.h"
#include "sim/run_base.h"
#include "sim/wave.h"
#include "sim/wave_judge.h"

namespace usbtwin::sim {

class QueueRun final : public RunBase {
 public:
  // The chooser outlives the run.
  QueueRun(Chooser& chooser, const RunOptions& options, Swarm swarm);
  ~QueueRun() override;

  RunResult Run() override;

 private:
  // One of the commands at once.
  struct Slot final : Timer {
    explicit Slot(World& in) : world(in) {}
    ~Slot() { world.Disarm(*this); }
    void HandleTimer() override { Cancel(); }
    void Cancel() {
      if (job && !job->done()) job->Cancel();
    }
    World& world;
    Request request;
    std::vector<uint8_t> room;
    LeaseList lent;
    std::optional<async::Job<bool>> job;  // none: free
    std::optional<Result<host::ScsiResult>> answer;
    size_t number = 0;  // in the wave
    TimePoint start;
    bool cancelled = false;
    uint64_t cancel_step = UINT64_MAX;  // of the world
  };

  std::string Waiting() const override;
  void NotePlayedOutside() override;
  std::optional<std::string> JudgeOpening(const Error& error) const override;

  bool Open();
  void Close();
  void TakeBackAll();
  // Up to so many commands, at most `depth` of them at once, until all have ended.
  bool RunWave(uint64_t commands_max);
  Slot& FreeSlot();
  void Draw(Slot& slot);
  void Begin(Slot& slot, scsi::TaskAttribute attribute);
  async::Task<bool> Carry(Slot& slot, host::ScsiRequest request);
  void DrawCancel(Slot& slot);
  // Until a command ends, for so many steps of the world at most; false where that never comes.
  bool RunOn(uint64_t steps_max);
  bool EndEnded();
  void End(Slot& slot);
  bool JudgeWave();

  Wave::Fate FateOf(const Slot& slot) const;
  void JudgeLengths(const Slot& slot);
  ModelDisk::Versions JudgeData(Slot& slot);
  uint32_t WholeLength(const Request& request) const;
  // Played since the wave began.
  std::span<const fault::Injection> Injections() const;
  bool Injected(fault::Kind kind) const;
  void Account(bool outside);
  void CountRecoveries();
  void ReadAllBack();
  bool BecomeReady(uint8_t lun);
  bool ReadBack(ModelDisk& model);

  RequestMix mix_;
  WaveJudge judge_;
  Wave wave_;
  host::UasTransport* transport_ = nullptr;  // null: not open
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> ended_;
  std::vector<SentInWave> sent_;  // of the wave: those that have ended
  size_t running_ = 0;
  uint64_t cancel_next_ = 0;
  uint64_t reopen_next_ = 0;
  uint64_t pause_next_ = 0;
  uint64_t serial_before_ = 0;      // of the last injection before the wave
  uint64_t reopenings_before_ = 0;  // of the transport, when the wave began
  bool reading_back_ = false;
};

}  // namespace usbtwin::sim
