#include "sim/run_disk.h"

#include "sim/disk_run.h"

namespace usbtwin::sim {

RunResult RunDisk(Chooser& chooser, const RunOptions& options) {
  auto run = std::make_unique<DiskRun>(chooser, options, DrawSwarm(chooser, options.swarm));
  RunResult result = run->Run();
  result.stuck = run->stuck();
  if (result.stuck) (void)run.release();
  return result;
}

}  // namespace usbtwin::sim
