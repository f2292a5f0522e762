#include "app/presented_twin.h"

namespace usbtwin::app {
namespace {

Result<void, Failure> CheckWithoutLink(const FaultFile& file) {
  for (size_t index = 0; index < file.plan.rules.size(); ++index) {
    const fault::Kind kind = file.plan.rules[index].kind;
    if (NeedsTwin(kind)) continue;
    return Failure{Failure::Kind::kUsage,
                   file.places[index] + ": " + fault::Info(kind).name +
                       " is played between a host of ours and its device; to a host elsewhere only "
                       "faults of units (scsi) and stores (store) can be played"};
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<PresentedTwin>, Failure> PresentedTwin::Make(System& system,
                                                                    std::string_view device,
                                                                    const PresentOptions& options,
                                                                    const PortMaker& make_port) {
  Result<ProfileFile, Failure> profile = ProfileOfTwin(system, device, options.read_only);
  if (!profile) return profile.error();
  std::unique_ptr<PresentedTwin> presented(new PresentedTwin);
  fault::Player* player = nullptr;
  if (!options.faults_path.empty()) {
    Result<FaultFile, Failure> faults = LoadFaults(system, options.faults_path);
    if (!faults) return faults.error();
    const Result<void, Failure> possible = CheckWithoutLink(*faults);
    if (!possible) return possible.error();
    presented->plan_ = std::make_unique<PlayedPlan>(system.clock(), std::move(*faults));
    player = &presented->plan_->player();
  }
  const Result<emulator::Port*, Failure> port = make_port(profile->profile.speed);
  if (!port) return port.error();
  Result<std::unique_ptr<Twin>, Failure> twin =
      Twin::Make(system, std::move(*profile), player, *port);
  if (!twin) return Failure{Failure::Kind::kCannotOpen, twin.error().text};
  presented->twin_ = std::move(*twin);
  return presented;
}

std::vector<FaultCount> PresentedTwin::fault_counts() const {
  if (plan_ == nullptr) return {};
  return plan_->counts();
}

}  // namespace usbtwin::app
