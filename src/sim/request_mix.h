// RequestMix: draws the commands that the host of a run sends: READs and WRITEs above all,
// questions, and now and then what a sane host seldom says. It knows what each must lead to where
// nothing goes wrong; whoever sends it judges the answer.
#pragma once

#include <optional>
#include <vector>

#include "proto/scsi_command.h"
#include "sim/expected_reports.h"
#include "sim/model_disk.h"
#include "sim/swarm.h"

namespace usbtwin::sim {

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

class RequestMix {
 public:
  // All outlive the mix.
  RequestMix(Chooser& chooser, const Swarm& swarm, std::vector<ModelDisk>& models)
      : chooser_(chooser), swarm_(swarm), models_(models) {}

  // Of a WRITE, `room` begins with the data then: the blocks' new version.
  Request Draw(MutableBytes room);
  // Which blocks, of the request's unit.
  void DrawRange(Request& request);

 private:
  void Build(Request& request, MutableBytes room);
  void BuildRead(Request& request);
  void BuildWrite(Request& request, MutableBytes room);
  void BuildQuestion(Request& request);
  void BuildOdd(Request& request);

  Chooser& chooser_;
  const Swarm& swarm_;
  std::vector<ModelDisk>& models_;
};

}  // namespace usbtwin::sim
