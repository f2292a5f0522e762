#include "emulator/reservations.h"

namespace usbtwin::emulator {

using scsi::SenseKey;
using scsi::Status;
using scsi::cdb::PersistentReserveOut;
using wire::scsi::ReserveOut;
using wire::scsi::ReserveType;

namespace {

constexpr Reservations::Change kConflict{.status = Status::kReservationConflict};

Reservations::Change Refused(const scsi::Sense& sense) {
  return {.status = Status::kCheckCondition, .sense = sense};
}

constexpr Reservations::Initiators BitOf(uint8_t initiator) {
  return static_cast<Reservations::Initiators>(1u << initiator);
}

bool IsAllRegistrants(ReserveType type) {
  return type == ReserveType::kWriteExclusiveAll || type == ReserveType::kExclusiveAccessAll;
}

// Registered initiators may do what the holder may.
bool AdmitsRegistrants(ReserveType type) {
  return IsAllRegistrants(type) || type == ReserveType::kWriteExclusiveRegistrants ||
         type == ReserveType::kExclusiveAccessRegistrants;
}

bool IsWriteExclusive(ReserveType type) {
  return type == ReserveType::kWriteExclusive || type == ReserveType::kWriteExclusiveRegistrants ||
         type == ReserveType::kWriteExclusiveAll;
}

}  // namespace

std::optional<ReserveType> ReserveTypeOf(uint8_t number) {
  const auto type = static_cast<ReserveType>(number);
  switch (type) {
    case ReserveType::kWriteExclusive:
    case ReserveType::kExclusiveAccess:
    case ReserveType::kWriteExclusiveRegistrants:
    case ReserveType::kExclusiveAccessRegistrants:
    case ReserveType::kWriteExclusiveAll:
    case ReserveType::kExclusiveAccessAll: return type;
  }
  return std::nullopt;
}

// ---- Who may do what --------------------------------------------------------------------------

bool Reservations::Conflicts(uint8_t initiator, Access access) const {
  if (access == Access::kIdentify) return false;
  if (reserved_by_) return *reserved_by_ != initiator;
  if (!type_ || access == Access::kAsk || HoldsIt(initiator)) return false;
  if (AdmitsRegistrants(*type_) && registered(initiator)) return false;
  return access == Access::kWrite || !IsWriteExclusive(*type_);
}

bool Reservations::all_registrants() const {
  return type_ && IsAllRegistrants(*type_);
}

bool Reservations::HoldsIt(uint8_t initiator) const {
  if (!type_ || !registered(initiator)) return false;
  return all_registrants() || holder_ == initiator;
}

Reservations::Initiators Reservations::Registered() const {
  Initiators found = 0;
  for (uint8_t initiator = 0; initiator < keys_.size(); ++initiator) {
    if (registered(initiator)) found |= BitOf(initiator);
  }
  return found;
}

Reservations::Initiators Reservations::WithKey(uint64_t key) const {
  Initiators found = 0;
  for (uint8_t initiator = 0; initiator < keys_.size(); ++initiator) {
    if (registered(initiator) && keys_[initiator] == key) found |= BitOf(initiator);
  }
  return found;
}

// ---- RESERVE(6), RELEASE(6) -------------------------------------------------------------------

bool Reservations::Reserve(uint8_t initiator) {
  if (any_registered() || (reserved_by_ && *reserved_by_ != initiator)) return false;
  reserved_by_ = initiator;
  return true;
}

// Releasing what one does not hold does nothing. SPC-2, 7.16.
bool Reservations::Release(uint8_t initiator) {
  if (any_registered()) return false;
  if (reserved_by_ == initiator) reserved_by_.reset();
  return true;
}

// ---- PERSISTENT RESERVE OUT. SPC-4, 5.13 and 6.16 ---------------------------------------------

Reservations::Change Reservations::Out(uint8_t initiator, const PersistentReserveOut& what,
                                       const wire::scsi::ReserveOutList& list) {
  constexpr uint16_t kFlagsByte = 20;
  const bool registers =
      what.action == ReserveOut::kRegister || what.action == ReserveOut::kRegisterAndIgnore;
  if (registers) {
    if ((list.flags & wire::scsi::kSpecifyPorts) != 0) {
      return Refused(scsi::InvalidFieldInList(kFlagsByte, 3));
    }
    if ((list.flags & wire::scsi::kAllTargetPorts) != 0) {
      return Refused(scsi::InvalidFieldInList(kFlagsByte, 2));
    }
    if ((list.flags & wire::scsi::kPersistPowerLoss) != 0) {
      return Refused(scsi::InvalidFieldInList(kFlagsByte, 0));
    }
  }
  if (what.action == ReserveOut::kRegisterAndIgnore) return Register(initiator, list.action_key);
  // The key proves who asks; one who is not registered has none.
  if (list.key != keys_[initiator]) return kConflict;
  if (what.action == ReserveOut::kRegister) return Register(initiator, list.action_key);
  if (!registered(initiator)) return kConflict;
  switch (what.action) {
    case ReserveOut::kRegister:
    case ReserveOut::kRegisterAndIgnore: break;
    case ReserveOut::kReserve: return Take(initiator, what);
    case ReserveOut::kRelease: return Give(initiator, what);
    case ReserveOut::kClear: return Clear(initiator);
    case ReserveOut::kPreempt:
    case ReserveOut::kPreemptAndAbort: return Preempt(initiator, what, list.action_key);
  }
  return {};
}

Reservations::Change Reservations::Register(uint8_t initiator, uint64_t key) {
  if (key == 0 && !registered(initiator)) return {};  // nothing changes
  ++generation_;
  Change change;
  if (key == 0) {
    const bool last = Registered() == BitOf(initiator);
    const bool ends = type_ && (all_registrants() ? last : holder_ == initiator);
    if (ends) change.released = End(initiator);
  }
  keys_[initiator] = key;
  return change;
}

Reservations::Change Reservations::Take(uint8_t initiator, const PersistentReserveOut& what) {
  const auto type = static_cast<ReserveType>(what.type);
  if (type_) {
    if (HoldsIt(initiator) && type == *type_) return {};
    return kConflict;
  }
  type_ = type;
  holder_ = initiator;
  return {};
}

Reservations::Change Reservations::Give(uint8_t initiator, const PersistentReserveOut& what) {
  if (!HoldsIt(initiator)) return {};
  if (what.type != static_cast<uint8_t>(*type_)) {  // invalid release of persistent reservation
    return Refused({.key = SenseKey::kIllegalRequest, .asc = 0x26, .ascq = 0x04});
  }
  return {.released = End(initiator)};
}

Reservations::Change Reservations::Clear(uint8_t initiator) {
  const Initiators all = Registered();
  Unregister(all);
  type_.reset();
  ++generation_;
  return {.preempted = static_cast<Initiators>(all & ~BitOf(initiator))};
}

Reservations::Change Reservations::Preempt(uint8_t initiator, const PersistentReserveOut& what,
                                           uint64_t key) {
  const auto type = static_cast<ReserveType>(what.type);
  const Initiators self = BitOf(initiator);
  const bool everybody = key == 0 && all_registrants();
  if (key == 0 && !everybody) return Refused(scsi::InvalidFieldInList(8));
  const Initiators named = everybody ? Registered() : WithKey(key);
  if (named == 0) return kConflict;
  const bool takes_over = type_ && (everybody || (!all_registrants() && key == keys_[holder_]));
  ++generation_;
  Change change{.registrations = static_cast<Initiators>(named & ~self)};
  if (what.action == ReserveOut::kPreemptAndAbort) {
    change.aborted = change.registrations;
  }
  Unregister(static_cast<Initiators>(takes_over ? named & ~self : named));
  if (takes_over) {
    // Those who stay registered lose what they had if it becomes something else.
    if (*type_ != type) change.released = static_cast<Initiators>(Registered() & ~self);
    type_ = type;
    holder_ = initiator;
  } else if (type_ && all_registrants() && !any_registered()) {
    type_.reset();
  }
  return change;
}

Reservations::Initiators Reservations::End(uint8_t initiator) {
  const bool concerns = AdmitsRegistrants(*type_);
  type_.reset();
  return concerns ? static_cast<Initiators>(Registered() & ~BitOf(initiator)) : Initiators{0};
}

void Reservations::Unregister(Initiators initiators) {
  for (uint8_t initiator = 0; initiator < keys_.size(); ++initiator) {
    if ((initiators & BitOf(initiator)) != 0) keys_[initiator] = 0;
  }
}

// ---- PERSISTENT RESERVE IN. SPC-4, 6.15 -------------------------------------------------------

void Reservations::AppendKeys(Reply& reply) const {
  Reply keys;
  for (const uint64_t key : keys_) {
    if (key != 0) keys.Append(wire::Be64(key));
  }
  reply.Append(wire::scsi::ReserveInHeader{.generation = generation_, .length = keys.length()});
  reply.Append(keys.view());
}

void Reservations::AppendReservation(Reply& reply) const {
  wire::scsi::ReservationDescriptor descriptor{};
  const uint32_t length = type_ ? sizeof(descriptor) : 0;
  reply.Append(wire::scsi::ReserveInHeader{.generation = generation_, .length = length});
  if (!type_) return;
  if (!all_registrants()) descriptor.key = keys_[holder_];
  descriptor.scope_type = ScopeType();
  reply.Append(descriptor);
}

void Reservations::AppendFullStatus(Reply& reply) const {
  Reply all;
  for (uint8_t initiator = 0; initiator < keys_.size(); ++initiator) {
    if (!registered(initiator)) continue;
    wire::scsi::FullStatusDescriptor descriptor{};
    descriptor.key = keys_[initiator];
    if (HoldsIt(initiator)) {
      descriptor.flags = wire::scsi::kReservationHolder;
      descriptor.scope_type = ScopeType();
    }
    descriptor.target_port = uint16_t{1};
    descriptor.port_length = uint32_t{sizeof(wire::scsi::PlainTransportId)};
    all.Append(descriptor);
    wire::scsi::PlainTransportId port{};
    port.protocol = wire::scsi::kProtocolNone;
    port.initiator = initiator;
    all.Append(port);
  }
  reply.Append(wire::scsi::ReserveInHeader{.generation = generation_, .length = all.length()});
  reply.Append(all.view());
}

}  // namespace usbtwin::emulator
