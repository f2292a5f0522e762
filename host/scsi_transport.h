// ScsiTransport: what carries a SCSI command from a host to a logical unit and back. BOT and UAS
// over a Link are transports, and so is a pass-through of the operating system, which has no Link.
// Three things that can go wrong are kept apart: the transport (Error), the SCSI status, and the
// sense that explains a CHECK CONDITION.
#pragma once

#include <optional>
#include <type_traits>
#include <vector>

#include "async/task.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/lease.h"
#include "proto/scsi_status.h"
#include "proto/sense.h"
#include "proto/task_attribute.h"

namespace usbtwin::host {

// Bidirectional commands are not carried: at most one of `out` and `in_length` is there.
struct ScsiRequest {
  uint64_t lun = 0;
  Bytes cdb;                  // 1 to 16 bytes over BOT
  Bytes out;                  // data-out, borrowed until the result
  MutableBytes in;            // data-in, borrowed until the result
  uint32_t in_length = 0;     // bytes asked for; in.size() where `in` is given
  LeaseList* lent = nullptr;  // where `in` is empty: receives the data as leases instead
  Duration timeout = std::chrono::seconds(30);  // of the whole command, recovery excluded
  // Its order among others of its unit; Bulk-Only has one at a time, which keeps any order.
  scsi::TaskAttribute attribute = scsi::TaskAttribute::kSimple;
};
static_assert(std::is_trivially_destructible_v<ScsiRequest>);

struct ScsiResult {
  scsi::Status status = scsi::Status::kGood;
  uint32_t length_actual = 0;  // bytes that moved in the data phase
  uint32_t residue = 0;        // what the device says did not move (dCSWDataResidue); may lie
  bool sense_valid = false;    // sense was fetched: status is kCheckCondition
  scsi::Sense sense;
  uint8_t sense_length = 0;                         // bytes of sense_bytes
  std::array<uint8_t, 32> sense_bytes{};            // as they came
  std::optional<scsi::SenseFailure> sense_failure;  // it was asked for and could not be had
  uint8_t recoveries = 0;                           // rungs of the recovery ladder that were needed
};

// How many commands needed this rung of the transport's recovery ladder, and none above it.
struct RecoveryCount {
  const char* rung;  // "clear halt"
  uint64_t commands_count;
};

class ScsiTransport {
 public:
  virtual ~ScsiTransport() = default;
  virtual const char* name() const = 0;      // "bot"
  virtual uint16_t queue_depth() const = 0;  // commands that may run at once
  virtual uint8_t luns_count() const = 0;    // known at open: Get Max LUN + 1
  virtual uint32_t cdb_length_max() const = 0;
  virtual bool lends_data() const = 0;  // a request may have `lent` in place of `in`
  // At most queue_depth() at a time; `request` is copied.
  virtual async::Task<Result<ScsiResult>> Execute(ScsiRequest request) = 0;
  // The highest rung that the last command needed, whether or not it helped; "" for none.
  virtual const char* last_recovery() const = 0;
  // For how many commands of its whole life the device was gone, or was opened anew. Whoever holds
  // something of it (a cache, a reservation) may have lost that since the count was less.
  virtual uint64_t reopenings_count() const = 0;
  // Of its whole life, lowest rung first; without those that no command needed.
  virtual std::vector<RecoveryCount> recoveries() const = 0;
};

// What no transport carries, or not this one: an error of kind kInvalid that names the numbers.
// `lun_max`: the highest that it can address.
std::optional<Error> RefuseRequest(const ScsiRequest& request, const ScsiTransport& transport,
                                   uint64_t lun_max);

}  // namespace usbtwin::host
