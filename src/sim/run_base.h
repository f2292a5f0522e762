// RunBase: what every run of the simulation has, whatever its host does: a twin drawn by the swarm,
// a host's session, faults between them and inside, all in one World under one Chooser, and a first
// failure that ends it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/decorated_bus.h"
#include "app/twin.h"
#include "host/session.h"
#include "link/fault_bus.h"
#include "link/fault_player.h"
#include "sim/expected_data.h"
#include "sim/model_disk.h"
#include "sim/run_report.h"
#include "sim/usbip_path.h"
#include "sim/world.h"
#include "sim/world_system.h"

namespace usbtwin::sim {

class RunBase : private link::BreachSink {
 public:
  virtual ~RunBase() = default;
  RunBase(const RunBase&) = delete;
  RunBase& operator=(const RunBase&) = delete;

  virtual RunResult Run() = 0;
  // After Run: something is under way that will never end. The run cannot be destroyed then.
  bool stuck() const { return stuck_; }

 protected:
  // The chooser outlives the run.
  RunBase(Chooser& chooser, const RunOptions& options, Swarm swarm);

  // Who waits for what, where the world is stuck: the host.
  virtual std::string Waiting() const = 0;
  // What was played while no command was under way.
  virtual void NotePlayedOutside() = 0;
  // What is wrong with the error of an opening; nothing where it has a cause.
  virtual std::optional<std::string> JudgeOpening(const Error& error) const = 0;

  bool failed() const { return !result_.failure.empty(); }
  void Fail(Law law, std::string text);
  void Fail(const Wrong& wrong) { Fail(wrong.law, wrong.text); }
  // Runs the world until `done`; false, with the failure told, where that never comes.
  template <class Done>
  bool RunUntil(Done done, const char* what) {
    const Result<void, World::Trouble> finished = world_.RunUntil(done, kStepsMax);
    if (!finished) FailStuck(finished.error(), what);
    return finished.has_value();
  }
  template <class T>
  bool Finish(async::Job<T>& job, const char* what) {
    return RunUntil([&job] { return job.done(); }, what);
  }
  void FailStuck(World::Trouble trouble, const char* what);
  bool Sleep(Duration length);

  // Where the swarm put USB/IP between.
  bool StartUsbIp();
  void StopUsbIp();
  // Whether there was trouble with connections since this was last asked, or still is.
  bool ConnectionsFailed();
  // Opens device and storage, however often it takes; null, with the failure told, where they
  // cannot be opened.
  host::ScsiTransport* OpenStorage(const host::StorageOptions& options);
  void CloseSession();

  // True each one_in-th command on average; never for 0.
  bool Due(uint64_t& next, uint64_t one_in, std::string_view what);
  void Mix(uint64_t value);  // into the digest of the history
  const fault::Rule& RuleOf(const fault::Injection& injection) const {
    return player_.plan().rules[injection.rule];
  }
  // What can be said of the run when it is over.
  void CompleteReport();

  Chooser& chooser_;
  const RunOptions options_;
  World world_;
  Swarm swarm_;
  WorldSystem system_;
  fault::Player player_;
  std::unique_ptr<app::Twin> twin_;
  std::optional<UsbIpPath> usbip_;               // where the swarm drew it
  std::unique_ptr<app::DecoratedBus> slow_bus_;  // where transfers take time
  std::unique_ptr<link::FaultBus> fault_bus_;
  std::unique_ptr<link::PcapWriter> writer_;
  std::unique_ptr<app::DecoratedBus> bus_;
  std::unique_ptr<host::Session> session_;
  std::vector<ModelDisk> models_;
  ExpectedData expected_data_;
  size_t room_length_ = 0;  // bytes: the longest READ or WRITE that is drawn
  uint64_t command_ = 0;
  bool stuck_ = false;
  // Members, because one that is stuck cannot be destroyed.
  std::unique_ptr<async::Job<Result<void>>> session_job_;
  std::unique_ptr<async::Job<Result<host::ScsiTransport*>>> storage_job_;
  RunResult result_;

 private:
  struct Pause final : Timer {
    void HandleTimer() override { over = true; }
    bool over = false;
  };

  void OnBreach(const link::Breach& breach) override;
  void AddWitnesses();

  PipesCounts connections_before_;  // when ConnectionsFailed was last asked
  Pause pause_;
};

}  // namespace usbtwin::sim
