#include "sim/run_disk.h"

#include "sim/disk_run.h"
#include "sim/queue_run.h"

namespace usbtwin::sim {

RunResult RunDisk(Chooser& chooser, const RunOptions& options) {
  Swarm swarm = DrawSwarm(chooser, options.swarm);
  std::unique_ptr<RunBase> run;
  if (swarm.uas) {
    run = std::make_unique<QueueRun>(chooser, options, std::move(swarm));
  } else {
    run = std::make_unique<DiskRun>(chooser, options, std::move(swarm));
  }
  RunResult result = run->Run();
  result.stuck = run->stuck();
  if (result.stuck) (void)run.release();
  return result;
}

}  // namespace usbtwin::sim
