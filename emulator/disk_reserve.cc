// RESERVE, RELEASE and the PERSISTENT RESERVE commands of a Disk: what Reservations decide, carried
// out and told to those it concerns.
#include "emulator/disk.h"

namespace usbtwin::emulator {

using scsi::Command;
using scsi::Status;
using wire::scsi::ReserveIn;
using wire::scsi::ReserveOut;
using wire::scsi::ReserveOutList;

void Disk::Run(Command& command, const scsi::cdb::Reserve6&) {
  reservations_.Reserve(command.initiator) ? Finish(command) : Conflict(command);
}

void Disk::Run(Command& command, const scsi::cdb::Release6&) {
  reservations_.Release(command.initiator) ? Finish(command) : Conflict(command);
}

void Disk::Run(Command& command, const scsi::cdb::PersistentReserveIn& what) {
  if (reservations_.reserved()) return Conflict(command);
  Reply reply;
  switch (what.action) {
    case ReserveIn::kReadKeys: reservations_.AppendKeys(reply); break;
    case ReserveIn::kReadReservation: reservations_.AppendReservation(reply); break;
    case ReserveIn::kReportCapabilities: {
      wire::scsi::ReserveCapabilities capabilities{};  // nothing persists through power loss
      capabilities.length = static_cast<uint16_t>(sizeof(capabilities));
      capabilities.flags3 = wire::scsi::kTypeMaskValid;
      capabilities.type_mask = uint16_t{0xea01};  // all six types
      reply.Append(capabilities);
      break;
    }
    case ReserveIn::kReadFullStatus: reservations_.AppendFullStatus(reply); break;
  }
  Answer(command, reply, what.allocation_length);
}

void Disk::Run(Command& command, const scsi::cdb::PersistentReserveOut& what) {
  if (reservations_.reserved()) return Conflict(command);
  const bool has_type =
      what.action == ReserveOut::kReserve || what.action == ReserveOut::kRelease ||
      what.action == ReserveOut::kPreempt || what.action == ReserveOut::kPreemptAndAbort;
  if (has_type && what.scope != 0) return Fail(command, scsi::InvalidFieldInCdb(2, 7));
  if (has_type && !ReserveTypeOf(what.type)) return Fail(command, scsi::InvalidFieldInCdb(2, 3));
  if (what.parameter_list_length != sizeof(ReserveOutList)) {
    return Fail(command, scsi::ListLengthError());
  }
  Gather(command, sizeof(ReserveOutList));
}

void Disk::Apply(Command& command, const scsi::cdb::PersistentReserveOut& what) {
  if (reservations_.reserved()) return Conflict(command);
  const Reservations::Change change = reservations_.Out(
      command.initiator, what, *wire::View<ReserveOutList>(Bytes(command.gathered)));
  Announce(kAttentionPreempted, change.preempted);
  Announce(kAttentionReleased, change.released);
  Announce(kAttentionRegistrations, change.registrations);
  AbortOf(change.aborted);
  if (change.status == Status::kCheckCondition) return Fail(command, change.sense);
  if (change.status == Status::kReservationConflict) return Conflict(command);
  command.length_out = command.length_total;
  Finish(command);
}

}  // namespace usbtwin::emulator
