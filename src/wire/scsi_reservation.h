// SCSI reservations: RESERVE and RELEASE, PERSISTENT RESERVE IN and OUT. Companion of wire/scsi.h,
// which includes it; SPC-4, 5.13 and 6.15 to 6.16, all fields big-endian.
#pragma once

#include "wire/endian.h"

namespace usbtwin::wire::scsi {

// RESERVE(6), RELEASE(6). SPC-2, 7.
struct Reserve6Command {
  uint8_t opcode;
  uint8_t flags;  // bit 4: 3RDPTY; bit 0: EXTENT
  std::array<uint8_t, 3> reserved2;
  uint8_t control;
};
static_assert(WireStruct<Reserve6Command> && sizeof(Reserve6Command) == 6);
inline constexpr uint8_t kReserveThirdParty = 0x10;
inline constexpr uint8_t kReserveExtent = 0x01;

struct PersistentReserveInCommand {
  uint8_t opcode;
  uint8_t service_action;  // bits 4..0
  std::array<uint8_t, 5> reserved2;
  Be16 allocation_length;
  uint8_t control;
};
static_assert(WireStruct<PersistentReserveInCommand> && sizeof(PersistentReserveInCommand) == 10);

// SERVICE ACTION of PERSISTENT RESERVE IN.
enum class ReserveIn : uint8_t {
  kReadKeys = 0,
  kReadReservation = 1,
  kReportCapabilities = 2,
  kReadFullStatus = 3,
};

struct PersistentReserveOutCommand {
  uint8_t opcode;
  uint8_t service_action;  // bits 4..0
  uint8_t scope_type;      // bits 7..4: SCOPE; bits 3..0: TYPE
  std::array<uint8_t, 2> reserved3;
  Be32 parameter_list_length;
  uint8_t control;
};
static_assert(WireStruct<PersistentReserveOutCommand> && sizeof(PersistentReserveOutCommand) == 10);

// SERVICE ACTION of PERSISTENT RESERVE OUT.
enum class ReserveOut : uint8_t {
  kRegister = 0,
  kReserve = 1,
  kRelease = 2,
  kClear = 3,
  kPreempt = 4,
  kPreemptAndAbort = 5,
  kRegisterAndIgnore = 6,  // REGISTER AND IGNORE EXISTING KEY
};

// TYPE of a persistent reservation.
enum class ReserveType : uint8_t {
  kWriteExclusive = 1,
  kExclusiveAccess = 3,
  kWriteExclusiveRegistrants = 5,   // registrants only
  kExclusiveAccessRegistrants = 6,  // registrants only
  kWriteExclusiveAll = 7,           // all registrants
  kExclusiveAccessAll = 8,          // all registrants
};

// PERSISTENT RESERVE OUT parameter list.
struct ReserveOutList {
  Be64 key;         // RESERVATION KEY
  Be64 action_key;  // SERVICE ACTION RESERVATION KEY
  std::array<uint8_t, 4> obsolete16;
  uint8_t flags;  // bit 3: SPEC_I_PT; bit 2: ALL_TG_PT; bit 0: APTPL
  uint8_t reserved21;
  std::array<uint8_t, 2> obsolete22;
};
static_assert(WireStruct<ReserveOutList> && sizeof(ReserveOutList) == 24);
inline constexpr uint8_t kSpecifyPorts = 0x08;      // SPEC_I_PT
inline constexpr uint8_t kAllTargetPorts = 0x04;    // ALL_TG_PT
inline constexpr uint8_t kPersistPowerLoss = 0x01;  // APTPL

// What READ KEYS, READ RESERVATION and READ FULL STATUS begin with.
struct ReserveInHeader {
  Be32 generation;  // PRGENERATION
  Be32 length;      // ADDITIONAL LENGTH: bytes that follow
};
static_assert(WireStruct<ReserveInHeader> && sizeof(ReserveInHeader) == 8);

struct ReservationDescriptor {
  Be64 key;
  std::array<uint8_t, 4> obsolete8;
  uint8_t reserved12;
  uint8_t scope_type;
  std::array<uint8_t, 2> obsolete14;
};
static_assert(WireStruct<ReservationDescriptor> && sizeof(ReservationDescriptor) == 16);

struct ReserveCapabilities {
  Be16 length;     // LENGTH: 8
  uint8_t flags2;  // bit 4: CRH; bit 3: SIP_C; bit 2: ATP_C; bit 0: PTPL_C
  uint8_t flags3;  // bit 7: TMV; bits 6..4: ALLOW COMMANDS; bit 0: PTPL_A
  Be16 type_mask;  // bit 15: all registrants, write exclusive; 14: registrants only, exclusive
                   // access; 13: registrants only, write exclusive; 11: exclusive access; 9: write
                   // exclusive; 0: all registrants, exclusive access
  std::array<uint8_t, 2> reserved6;
};
static_assert(WireStruct<ReserveCapabilities> && sizeof(ReserveCapabilities) == 8);
inline constexpr uint8_t kTypeMaskValid = 0x80;  // TMV

struct FullStatusDescriptor {
  Be64 key;
  std::array<uint8_t, 4> reserved8;
  uint8_t flags;  // bit 1: ALL_TG_PT; bit 0: R_HOLDER
  uint8_t scope_type;
  std::array<uint8_t, 4> reserved14;
  Be16 target_port;  // RELATIVE TARGET PORT IDENTIFIER
  Be32 port_length;  // ADDITIONAL DESCRIPTOR LENGTH: bytes of the TransportID that follows
};
static_assert(WireStruct<FullStatusDescriptor> && sizeof(FullStatusDescriptor) == 24);
inline constexpr uint8_t kReservationHolder = 0x01;  // R_HOLDER

// A TransportID of no protocol that SPC-4 has a format for: the initiator's number is its last
// byte. SPC-4, 7.6.4.
struct PlainTransportId {
  uint8_t protocol;  // bits 3..0: PROTOCOL IDENTIFIER
  std::array<uint8_t, 22> reserved1;
  uint8_t initiator;
};
static_assert(WireStruct<PlainTransportId> && sizeof(PlainTransportId) == 24);
inline constexpr uint8_t kProtocolNone = 0x0f;

}  // namespace usbtwin::wire::scsi
