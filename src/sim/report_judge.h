// ReportJudge: compares everything that a host is told with what was played on it
// (expected_reports.h).
//
// The invariant: whatever a command ends with has a cause. An error needs a fault whose line holds
// it, played on this command or since the last one that was carried out undisturbed; sense needs
// the fault that says it, or a condition of the same unit that lasts. Where several causes meet,
// each of their reports is right. A fault that must have been noticed allows no good answer, or one
// for each recovery. And an error is not for ever: when nothing more is played, commands are soon
// carried out again. Called by DiskRun for every command.
#pragma once

#include <bitset>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/scsi_transport.h"
#include "link/fault_player.h"
#include "sim/expected_reports.h"
#include "sim/wrong.h"

namespace usbtwin::sim {

// A command as it was sent.
struct SentCommand {
  uint8_t lun = 0;
  uint8_t opcode = 0;
  bool needs_medium = false;
  bool writes = false;
  uint64_t lba = 0;
  uint32_t blocks = 0;        // 0: it names none
  uint32_t length = 0;        // bytes of data it asked for, or sent
  uint32_t length_whole = 0;  // of those, what moves where nothing goes wrong
  // What no unit carries out is refused with this, and names this block.
  std::optional<ExpectedSense> refusal;
  uint64_t refusal_block = 0;
  bool cancelled = false;
  bool hurried = false;  // its deadline may be too short for it
  TimePoint start;
};

class ReportJudge {
 public:
  // Beyond the units that there are, LUNs may be asked for which there are none.
  ReportJudge(const fault::Plan& plan, size_t units_count);

  // Played while no command was under way.
  void HandlePlayed(std::span<const fault::Injection> played);
  // The host has reset the port.
  void HandleReset();
  // Recovery of the last command came to its last rung, and nothing has reset the device: it may be
  // in the middle of that command, or of fetching its sense, until a command gets through.
  void HandleLeftBehind() { left_behind_ = true; }
  // And nobody said whether it worked: the command had failed by then, and only its sense was
  // missing. Where it did not, the next command finds no device.
  void HandleMaybeLost() { maybe_lost_ = true; }

  // The device is far away: one who opens it may come too early, before its server knows that the
  // last connection has ended; and between two connections the server resets it.
  void HandleFar() { far_ = true; }
  // The connection to it broke or went silent since this was last said, or there still is one that
  // did.
  void HandleConnections(bool trouble);

  // What is wrong with the answer to a command on which these faults were played; nothing where all
  // is well.
  std::optional<Wrong> Judge(const SentCommand& sent, std::span<const fault::Injection> played,
                             const Result<host::ScsiResult>& answer);
  // The same for the error of an opening.
  std::optional<std::string> JudgeOpening(const Error& error) const;
  // The same for what a REQUEST SENSE brought, before Judge is asked about it.
  std::optional<Wrong> JudgeSenseData(const SentCommand& sent,
                                      const std::optional<scsi::Sense>& sense);

 private:
  // A condition of a unit for a while.
  struct Lasting {
    fault::Kind kind;
    TimePoint until;
  };
  struct Told {
    ExpectedSense sense;
    uint64_t lba = 0;
    uint32_t blocks = 0;
  };
  struct Unit {
    bool attention = true;  // it may have one to report
    std::vector<Lasting> lasting;
    std::vector<Told> kept;  // refusals whose sense was not fetched
  };
  using Causes = std::bitset<fault::kKindsCount>;

  static bool Explains(const std::vector<Told>& allowed, const scsi::Sense& sense);
  static std::string Expectation(const std::vector<Told>& allowed);
  static Causes CausesIn(std::span<const fault::Injection> played);
  Duration DelayOf(fault::Kind kind) const;
  void Enter(const SentCommand& sent, std::span<const fault::Injection> played);
  void Leave(const SentCommand& sent, std::span<const fault::Injection> played,
             const Result<host::ScsiResult>& answer);
  // What the unit may have refused the command with, and what it may say when it is only asked.
  std::vector<Told> Refusals(const SentCommand& sent, Causes causes) const;
  std::vector<Told> Polled(const SentCommand& sent) const;
  std::optional<Wrong> JudgeGood(const SentCommand& sent, std::span<const fault::Injection> played,
                                 const host::ScsiResult& answer) const;
  std::optional<Wrong> JudgeError(const SentCommand& sent, const Error& error) const;
  std::optional<std::string> JudgeBreak(const Error& error) const;
  std::optional<Wrong> JudgeRefusal(const SentCommand& sent,
                                    std::span<const fault::Injection> played,
                                    const host::ScsiResult& answer) const;
  // The sense that was told, and those that it may have been before bits of it were flipped.
  std::vector<scsi::Sense> Readings(std::span<const fault::Injection> played,
                                    const host::ScsiResult& answer) const;
  void CountErrors(const SentCommand& sent, std::span<const fault::Injection> played,
                   const Result<host::ScsiResult>& answer);

  // Errors after the one that something was played on: an endpoint that is silent until the port is
  // reset costs one more command.
  static constexpr uint32_t kErrorsMax = 1;
  static constexpr size_t kLunsMax = 16;

  const fault::Plan& plan_;  // the player's
  const size_t units_count_;
  std::vector<Unit> units_;
  Causes streak_;            // played since a command was carried out undisturbed
  uint32_t errors_ = 0;      // one after the other with nothing played
  bool undisturbed_ = true;  // the last one was
  bool left_behind_ = false;
  bool inherited_ = false;  // a fault that a command met which did not stay to recover from it
  bool maybe_lost_ = false;
  bool far_ = false;
  bool trouble_ = false;          // with the connection
  bool connection_lost_ = false;  // the same, since a command was carried out undisturbed
};

}  // namespace usbtwin::sim
