// send_cdb: SCSI command blocks to a USB mass-storage device, from ordinary blocking code. This is
// a public header of the installed library and needs nothing but the standard library.
//
//   #include <usbtwin/send_cdb.h>
//   #include <usbtwin/owned_system.h>
//   auto system = usbtwin::os::MakeOwnedSystem();
//   usbtwin::app::CdbResult result = usbtwin::app::SendCdb(
//       *system, {.device = "1234:5678"},
//       {.cdb = {0x12, 0, 0, 0, 36, 0}, .data_in_length = 36});
//
// Three things that can go wrong are kept apart and never derived from one another: the transport
// (CdbResult::outcome and ::error), the SCSI status, and the sense data that explains a CHECK
// CONDITION. Lengths are bytes. Nothing here throws; one device is used by one thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace usbtwin::app {

class System;  // the operating system; usbtwin/owned_system.h makes one

// ---- What is asked ----

enum class TransportChoice : uint8_t {
  kAuto,  // the best one both sides speak
  kBot,   // Bulk-Only Transport (bInterfaceProtocol 50h)
  kUasp,  // USB Attached SCSI (62h)
};

// What to do about a driver of the operating system that holds the interface.
enum class KernelDriver : uint8_t {
  kRefuse,  // fail: the device may be in use
  kDetach,  // detach it and attach it again at the end
};

struct OpenRequest {
  std::string device;                // a device string: 1234:5678, 3:7, emu:disk.img, ...
  std::optional<uint8_t> interface;  // bInterfaceNumber; absent: FFh before 08h, else the first
  TransportChoice transport = TransportChoice::kAuto;
  KernelDriver kernel_driver = KernelDriver::kRefuse;
  std::string record_path;  // capture of every transfer: pcapng, or pcap where it ends in ".pcap"
  bool audit = false;       // check the link's contract throughout, and abort on a breach
  std::string faults_path;  // TOML plan of faults to play on the device; "": none
  // Of each step of opening: a connection and its import (else 10 s), a control transfer (else 5
  // s), and for a USB/IP server the end of one that was not answered (else 10 s).
  std::chrono::milliseconds step_timeout_max{10000};
};

inline constexpr uint32_t kDataLengthMax = uint32_t{256} << 20;  // bytes of data in one command

// A command moves data in one direction at most: `data_out` or `data_in_length`.
struct CdbRequest {
  uint64_t lun = 0;                          // 0 to 15 over BOT
  std::vector<uint8_t> cdb;                  // the command block: 1 to 16 bytes over BOT
  std::span<const uint8_t> data_out;         // borrowed for the call
  uint32_t data_in_length = 0;               // bytes asked for
  std::chrono::milliseconds timeout{30000};  // of the whole command, recovery excluded
  // A device that was plugged in or reset before it was opened refuses the first command to each
  // unit with a unit attention (06/29) and does not execute it. That is old news and no answer, so
  // the command is sent again; true: it is reported like any other. Later ones always are.
  bool report_old_attention = false;
};

// ---- What came of it ----

enum class CdbOutcome : uint8_t {
  kCompleted,   // the device answered: see the SCSI status
  kUsage,       // the request makes no sense; nothing was sent
  kCannotOpen,  // no such device, its image or profile is no good, no permission, busy, or not in
                // this build
  kTransport,   // the conversation broke; whether the command took effect is unknown
  kFile,        // a file could not be read or written
};
const char* Name(CdbOutcome outcome);  // "completed", "usage", "cannot open", "transport", "file"

enum class TransportErrorKind : uint8_t {
  kNone,
  kStalled,
  kTimedOut,
  kCancelled,
  kDisconnected,
  kOverflow,  // more data than was asked for
  kFault,     // of the bus or the host controller
  kProtocol,  // the device broke its protocol: wrong tag, signature, length, a phase error
  kBusy,
  kDenied,
  kNotFound,
  kInvalid,
  kUnsupported,
};
const char* Name(TransportErrorKind kind);  // "timed out"

// Where in a command the transport failed.
enum class TransportPhase : uint8_t {
  kNone,
  kOpen,
  kControl,
  kCommand,
  kDataIn,
  kDataOut,
  kStatus,
  kReset,
};
const char* Name(TransportPhase phase);  // "data-in"; "" for kNone

struct TransportError {
  TransportErrorKind kind = TransportErrorKind::kNone;
  TransportPhase phase = TransportPhase::kNone;
  uint8_t endpoint = 0;        // bEndpointAddress; 0 where none is meant
  uint64_t length_actual = 0;  // bytes that had moved in that phase
};

// What became of one kind of the fault plan.
struct FaultCount {
  std::string kind;                      // "bot.stall-data"
  uint64_t injected = 0;                 // how often it happened since the device was opened
  uint64_t observed = 0;                 // and the host noticed
  std::vector<std::string> idle_places;  // where the plan asks for it and it never did: "a.toml:3"
  std::vector<std::string> unseen_places;  // where it did, and the host never noticed
};

// Sense data decoded. SPC-4, 4.5.
struct SenseInfo {
  uint8_t key = 0;                      // sense key, 0 to 15
  uint8_t asc = 0;                      // additional sense code
  uint8_t ascq = 0;                     // additional sense code qualifier
  bool deferred = false;                // about an earlier command
  std::optional<uint64_t> information;  // for a disk: the first LBA in error
  std::string key_text;                 // "Illegal Request"
  std::string additional_text;          // "Logical block address out of range"; may be empty
};

struct CdbResult {
  // 1. The transport.
  CdbOutcome outcome = CdbOutcome::kCompleted;
  TransportError error;        // for kTransport, and for a kCannotOpen that a bus or device caused
  std::string text;            // what went wrong, in a sentence; empty for kCompleted
  uint8_t recoveries = 0;      // rungs of the recovery ladder that were needed
  std::string highest_rung;    // the last of them: "clear halt"; empty where none was
  uint8_t old_attentions = 0;  // unit attentions from before the opening that were passed over

  // 2. The SCSI status, where the outcome is kCompleted. SAM-5, 5.3.1.
  uint8_t scsi_status = 0;  // 00h good, 02h check condition, ...

  // 3. The sense data, where the device gave any.
  std::vector<uint8_t> sense_bytes;  // as they came
  std::optional<SenseInfo> sense;    // absent where the bytes are no sense data
  std::string sense_error;           // it was asked for and could not be had: why

  // The data. The wire's count and the device's word are both here, because cheap devices lie.
  std::vector<uint8_t> data_in;  // every byte that came, at most data_in_length
  uint32_t length_wire = 0;      // bytes that moved in the data phase, either way
  uint32_t residue = 0;          // bytes of those asked for that the device says did not move
  uint32_t length_valid = 0;     // bytes that count: the wire's, less what the residue takes away
  std::chrono::microseconds elapsed{0};

  // SendCdb only: why the record file is incomplete. The command itself is as told above.
  std::string record_error;
  // SendCdb only: of the fault plan, in its order.
  std::vector<FaultCount> faults;

  // The device took the command and reported success.
  bool good() const { return outcome == CdbOutcome::kCompleted && scsi_status == 0; }
};

// ---- The calls ----

// What opening found.
struct DeviceFacts {
  std::string transport;         // "bot"
  uint8_t luns_count = 1;        // logical units the device says it has
  uint32_t cdb_length_max = 16;  // bytes
  uint16_t vendor_id = 0;
  uint16_t product_id = 0;
  std::string port_path;  // where it is plugged in: "1-1.4"; "emu-1" for a twin
};

class ScsiDevice;

struct OpenResult {
  std::unique_ptr<ScsiDevice> device;  // null where it could not be opened
  CdbOutcome outcome = CdbOutcome::kCompleted;
  TransportError error;
  std::string text;
  std::vector<FaultCount> faults;  // where it could not be opened: what the fault plan did
};

// A device that is open: the interface is claimed until it is destroyed. `system` outlives it.
class ScsiDevice {
 public:
  static OpenResult Open(System& system, const OpenRequest& request);
  ~ScsiDevice();
  ScsiDevice(const ScsiDevice&) = delete;
  ScsiDevice& operator=(const ScsiDevice&) = delete;

  const DeviceFacts& facts() const;
  // Blocks until the command has ended. The device stays open whatever comes of it.
  CdbResult Send(const CdbRequest& request);
  // Releases the interface and finishes the record file. The destructor does the same, silently;
  // here the answer says why the record is incomplete, or is empty. Nothing can be sent afterwards.
  std::string Close();
  // Of the fault plan, in its order.
  std::vector<FaultCount> fault_counts() const;

 private:
  struct State;
  explicit ScsiDevice(std::unique_ptr<State> state);
  CdbResult SendOnce(const CdbRequest& request);
  std::unique_ptr<State> state_;
};

// Opens, sends one command, closes.
CdbResult SendCdb(System& system, const OpenRequest& open, const CdbRequest& request);

}  // namespace usbtwin::app
