// Fault plans as people write them: TOML becomes a fault::Plan. Whatever is wrong is told with
// file, line and key, and with what is allowed; so is a condition that its kind can never meet.
//
//   seed = 7                     # of the chance in it; the same seed, the same run. Default 1
//   [[fault]]                    # one for each rule; the first that fits and is due is played
//   kind = "bot.stall-data"      # `usbtwin faults` lists them
//   endpoint = 0x81              # where: bEndpointAddress, opcode = 0x28, lun = 0, tag = 7,
//   blocks = [0, 99]             #   or a command that touches these
//   nth = 2                      # when: the second time that all of this holds
//   probability = 0.01           #   from then on each with this chance, or one_in = 100: each
//                                #   hundredth on average, or always (one_in = 1)
//   times = 1                    #   at most that often; 1 where there is no probability or one_in
//   after_ms = 0                 #   until_ms: both since the device was opened
//   length = 512                 # what: the kind's parameter; delay_ms, length or value
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/failure.h"
#include "app/system.h"
#include "link/fault_plan.h"

namespace usbtwin::app {

struct FaultFile {
  static constexpr size_t kRulesMax = 256;

  fault::Plan plan;
  uint64_t seed = 1;
  std::vector<std::string> places;  // of each rule: "plan.toml:3"
};

// `path` is what failures name.
Result<FaultFile, Failure> ParseFaults(std::string_view text, const std::string& path);
// The same from a file; a Failure of kFile where it cannot be read.
Result<FaultFile, Failure> LoadFaults(System& system, const std::string& path);

// Whether a kind is played inside a twin, and so not on hardware: scsi and store.
bool NeedsTwin(fault::Kind kind);
// A Failure of kUsage for a plan with rules for the inside of twins, for a `device` that is none.
Result<void, Failure> CheckWithoutTwin(const FaultFile& file, const std::string& device);

// Which conditions the moments of a kind can meet; the others would never hold, and are refused.
struct FaultConditions {
  bool endpoint = false;
  bool opcode = false;
  bool blocks = false;  // lun, too
  bool tag = false;
};
FaultConditions ConditionsOf(fault::Kind kind);

// ""bot.stal" is no kind of fault; known are ...": those of its group, or the groups.
std::string DescribeUnknownKind(const std::string& name);
// The group of a kind: what stands before the dot of its name.
std::string_view GroupOf(fault::Kind kind);
// The key of a kind's parameter: "delay_ms"; "" where it has none.
const char* KeyOf(fault::Parameter parameter);

}  // namespace usbtwin::app
