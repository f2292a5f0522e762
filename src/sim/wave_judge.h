// WaveJudge: whether what a host of many commands was told is allowed. Where commands run at once
// nobody can say which of them met a fault, and recovery takes several with it; so the answers of a
// wave are held together against all that was played since the device was last found well. An error
// has a cause in the table of what each fault may lead to (expected_reports.h), or is that of a
// command that was taken back, or shared the device with one that was. A fault that must be noticed
// shows in one of the answers; and when nothing more is played, commands are soon carried out
// again. Called by QueueRun.
#pragma once

#include <bitset>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/scsi_transport.h"
#include "link/fault_player.h"
#include "sim/request_mix.h"
#include "sim/wrong.h"

namespace usbtwin::sim {

// A command of a wave, and how it ended.
struct SentInWave {
  Request request;
  bool cancelled = false;
  TimePoint start;
  Duration took{};
  Result<host::ScsiResult> answer;

  bool good() const { return answer && answer->status == scsi::Status::kGood; }
};

class WaveJudge {
 public:
  // The plan outlives the judge; `timeout` is that of each command.
  WaveJudge(const fault::Plan& plan, size_t units_count, Duration timeout);

  // Played while no command was under way.
  void HandlePlayed(std::span<const fault::Injection> played);
  // The device was opened: units may have a unit attention.
  void HandleOpened();
  // The device is far away: one who opens it may come too early.
  void HandleFar() { far_ = true; }
  // Recovery has opened the device anew, or tried to: where that failed, it is gone for the
  // commands to come.
  void HandleReopened() { reopened_ = true; }
  // Whether there was trouble with the connection to it since this was last said.
  void HandleConnections(bool trouble);

  // All commands of a wave, with what was played since it began.
  std::optional<Wrong> Judge(std::span<const SentInWave> sent,
                             std::span<const fault::Injection> played);
  // What is wrong with the error of an opening; nothing where it has a cause.
  std::optional<std::string> JudgeOpening(const Error& error) const;
  // All was well in the last wave, and nothing was played or taken back in it.
  bool calm() const { return calm_; }

 private:
  using Causes = std::bitset<fault::kKindsCount>;

  void Enter(std::span<const fault::Injection> played);
  Duration DelayOf(fault::Kind kind) const;
  bool Disturbed() const;
  bool ExplainsError(const Error& error) const;
  bool ExplainsSense(const SentInWave& sent, const scsi::Sense& sense) const;
  std::optional<Wrong> JudgeOne(const SentInWave& sent) const;
  std::optional<Wrong> JudgeError(const SentInWave& sent, const Error& error) const;
  std::optional<Wrong> JudgeRefusal(const SentInWave& sent) const;
  std::optional<Wrong> JudgeTime(const SentInWave& sent) const;
  std::optional<Wrong> JudgeNotice(std::span<const SentInWave> sent,
                                   std::span<const fault::Injection> played) const;
  std::optional<Wrong> CountFailures(std::span<const SentInWave> sent, bool played);
  void Leave(std::span<const SentInWave> sent, bool played);
  std::string Played() const;

  // Waves with errors and nothing played, one after the other.
  static constexpr uint32_t kFailuresMax = 2;

  const fault::Plan& plan_;
  const Duration timeout_;
  Causes streak_;                // played since a wave was well
  Causes lasting_;               // conditions that units may be in
  TimePoint lasting_until_;      // and how long
  std::vector<bool> attention_;  // units that may have one to report
  bool taken_back_ = false;      // a command was, since a wave was well
  bool reopened_ = false;        // recovery tried, since then
  TimePoint strays_until_;       // an IU that is late, or comes again, may come until then
  bool silent_ = false;          // an endpoint was made so; waves that do not use it are well
  bool calm_ = false;
  bool far_ = false;
  bool trouble_now_ = false;  // with the connection
  bool trouble_ = false;      // the same, since a wave was well
  uint32_t failures_ = 0;
};

}  // namespace usbtwin::sim
