// Reservations of one logical unit: RESERVE(6) and RELEASE(6), and persistent reservations with
// their registrations, for the initiators scsi::Command numbers. It decides and remembers; the Disk
// tells initiators what concerns them, and ends commands. SPC-4, 5.13; SPC-2, 5.5.
//
// Nothing persists through loss of power: APTPL is refused. While initiators are registered RESERVE
// and RELEASE conflict, and the other way round: SPC-2's rules (CRH zero).
#pragma once

#include <array>
#include <optional>

#include "emulator/logical_unit.h"
#include "emulator/reply.h"
#include "proto/scsi_command.h"

namespace usbtwin::emulator {

class Reservations {
 public:
  // What a command does, as far as reservations care. SPC-4, 5.13.1; SBC-3, 4.17.
  enum class Access : uint8_t {
    kIdentify,  // always allowed
    kAsk,       // allowed by persistent reservations
    kRead,      // allowed by write-exclusive ones
    kWrite,
  };
  using Initiators = uint16_t;  // a bit for each
  static_assert(scsi::kInitiatorsMax <= 16);

  // What PERSISTENT RESERVE OUT came to, and whom to tell.
  struct Change {
    scsi::Status status = scsi::Status::kGood;
    scsi::Sense sense;             // where it is kCheckCondition
    Initiators preempted = 0;      // RESERVATIONS PREEMPTED
    Initiators released = 0;       // RESERVATIONS RELEASED
    Initiators registrations = 0;  // REGISTRATIONS PREEMPTED
    Initiators aborted = 0;        // whose commands end
  };

  bool Conflicts(uint8_t initiator, Access access) const;

  // RESERVE(6) and RELEASE(6). False: reservation conflict.
  bool Reserve(uint8_t initiator);
  bool Release(uint8_t initiator);
  // Whether PERSISTENT RESERVE commands conflict with RESERVE(6).
  bool reserved() const { return reserved_by_.has_value(); }
  void Reset() { reserved_by_.reset(); }  // persistent reservations stay

  Change Out(uint8_t initiator, const scsi::cdb::PersistentReserveOut& what,
             const wire::scsi::ReserveOutList& list);
  void AppendKeys(Reply& reply) const;
  void AppendReservation(Reply& reply) const;
  void AppendFullStatus(Reply& reply) const;

 private:
  bool registered(uint8_t initiator) const { return keys_[initiator] != 0; }
  bool any_registered() const { return Registered() != 0; }
  bool all_registrants() const;
  bool HoldsIt(uint8_t initiator) const;
  Initiators Registered() const;
  Initiators WithKey(uint64_t key) const;

  Change Register(uint8_t initiator, uint64_t key);
  Change Take(uint8_t initiator, const scsi::cdb::PersistentReserveOut& what);
  Change Give(uint8_t initiator, const scsi::cdb::PersistentReserveOut& what);
  Change Clear(uint8_t initiator);
  Change Preempt(uint8_t initiator, const scsi::cdb::PersistentReserveOut& what, uint64_t key);
  // Ends the reservation; those it concerned, but for `initiator`.
  Initiators End(uint8_t initiator);
  void Unregister(Initiators initiators);
  uint8_t ScopeType() const { return static_cast<uint8_t>(*type_); }  // the scope is the unit: 0

  std::optional<uint8_t> reserved_by_;
  std::array<uint64_t, scsi::kInitiatorsMax> keys_{};  // 0: not registered
  uint32_t generation_ = 0;                            // PRGENERATION
  std::optional<wire::scsi::ReserveType> type_;        // of the reservation there is
  uint8_t holder_ = 0;                                 // unless all registrants hold it
};

// The type, or nullopt where there is none of that number.
std::optional<wire::scsi::ReserveType> ReserveTypeOf(uint8_t number);

}  // namespace usbtwin::emulator
