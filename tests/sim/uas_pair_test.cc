// The two engines of USB Attached SCSI against each other: every order in which what is under way
// may happen, for two commands at once. What moves on a shared data pipe must be the data of the
// command whose host waits there, whatever else goes on.
#include <boost/test/unit_test.hpp>
#include <deque>
#include <functional>
#include <map>

#include "base/overloaded.h"
#include "proto/uas_device.h"
#include "proto/uas_host.h"
#include "sim/choosers.h"

using namespace usbtwin;       // NOLINT
using namespace usbtwin::uas;  // NOLINT
using usb::Outcome;
using Kind = HostAction::Kind;

namespace {

constexpr uint32_t kLength = 512;
constexpr uint8_t kNone = 0x00, kRead = 0x28, kWrite = 0x2a;

// Pipes that hold what each end has asked for, and let it happen one thing at a time.
class Pair {
 public:
  Pair(Chooser& chooser, uint16_t streams_count)
      : host({.depth = 2, .streams_count = streams_count}),
        device({.tasks_count = 4}),
        chooser_(chooser),
        streams_(streams_count != 0) {
    device.HandleEnabled(streams_count);
  }

  uint16_t Start(uint8_t opcode) {
    const std::array<uint8_t, 6> command_block{opcode};
    return host.Start({.command_block = command_block,
                       .in = opcode == kRead,
                       .length = opcode == kNone ? 0 : kLength});
  }
  // At some moment, or never, this command's time is over.
  void MayTimeOut(uint16_t tag) { late_tag_ = tag; }

  void Run() {
    Drain();
    while (Step()) Drain();
  }

  HostEngine host;
  DeviceEngine device;
  std::map<uint16_t, HostResult> results;
  unsigned port_resets = 0;
  bool timed_out = false;

  // Nothing is left of any command.
  bool quiet() const {
    bool quiet = host.idle() && ius_.empty() && statuses_.empty() && executing_.empty();
    for (const int out : {0, 1})
      quiet = quiet && host_data_[out].empty() && device_data_[out].empty();
    return quiet && aborting_.empty() && reads_ == 0 && read_streams_.empty();
  }

 private:
  struct Status {
    std::vector<uint8_t> iu;
    std::optional<uint8_t> task;  // else a reply
    uint8_t reply = 0;
  };
  using Event = std::function<void()>;

  uint16_t TagOf(uint8_t task) const { return device.task(task).tag; }
  static uint16_t TagOf(const Status& status) { return status.iu[3]; }

  // One of the things that can happen now.
  bool Step() {
    std::vector<Event> events;
    if (!cancelled_.empty()) events.push_back([this] { TakeFirst(cancelled_)(); });
    if (!sent_.empty()) events.push_back([this] { TakeFirst(sent_)(); });
    for (auto& moved : moved_) {
      if (!moved.empty()) events.push_back([this, &moved] { TakeFirst(moved)(); });
    }
    if (!ius_.empty() && receiving_) events.push_back([this] { MoveIu(); });
    for (const uint8_t task : executing_) events.push_back([this, task] { EndExecution(task); });
    AddStatuses(events);
    for (const int out : {0, 1}) AddData(events, out);
    if (late_tag_ != 0 && !timed_out) events.push_back([this] { TimeOut(); });
    if (events.empty()) return false;
    events[chooser_.Choose(events.size(), "event")]();
    return true;
  }
  static Event TakeFirst(std::deque<Event>& queue) {
    const Event first = queue.front();
    queue.pop_front();
    return first;
  }

  void MoveIu() {
    const uint16_t tag = ius_.front();
    ius_.pop_front();
    receiving_ = false;
    const Bytes bytes = host.iu(tag);
    const auto length = static_cast<uint32_t>(bytes.size());
    device.HandleIu(bytes);
    sent_.push_back([this, tag, length] { host.HandleIuSent(tag, Outcome::kOk, length); });
  }
  void EndExecution(uint8_t task) {
    std::erase(executing_, task);
    const uint8_t opcode = device.task(task).command_block[0];
    if (opcode == kWrite) return device.HandleDataWanted(task, kLength);
    device.HandleExecuted(task, opcode == kRead ? kLength : 0);
  }
  void AddStatuses(std::vector<Event>& events) {
    for (size_t index = 0; index < statuses_.size(); ++index) {
      const bool ready = streams_ ? read_streams_.count(TagOf(statuses_[index])) != 0 : reads_ != 0;
      if (ready) events.push_back([this, index] { MoveStatus(index); });
      if (!streams_) return;  // one after the other
    }
  }
  void MoveStatus(size_t index) {
    const Status status = statuses_[index];
    statuses_.erase(statuses_.begin() + static_cast<ptrdiff_t>(index));
    if (streams_) {
      read_streams_.erase(TagOf(status));
    } else {
      --reads_;
    }
    if (!status.task) {
      device.HandleReplySent(status.reply);
    } else if (aborting_.count(*status.task) == 0) {
      device.HandleStatusSent(*status.task);
    }
    host.HandleStatus(streams_ ? TagOf(status) : uint16_t{0}, Outcome::kOk, status.iu);
  }
  void AddData(std::vector<Event>& events, int out) {
    for (const uint8_t task : device_data_[out]) {
      auto& transfers = host_data_[out];
      if (transfers.empty()) return;
      size_t index = 0;
      if (streams_) {
        while (index < transfers.size() && transfers[index] != TagOf(task)) ++index;
        if (index == transfers.size()) continue;
      } else {
        BOOST_REQUIRE(transfers.front() == TagOf(task));
      }
      events.push_back([this, out, task, index] { MoveData(out, task, index); });
      if (!streams_) return;
    }
  }
  void MoveData(int out, uint8_t task, size_t index) {
    const uint16_t tag = host_data_[out][index];
    host_data_[out].erase(host_data_[out].begin() + static_cast<ptrdiff_t>(index));
    std::erase(device_data_[out], task);
    moved_[out].push_back([this, tag] { host.HandleData(tag, Outcome::kOk, kLength); });
    if (out == 0) return device.HandleDataMoved(task);
    device.HandleExecuted(task, 0);
  }
  void TimeOut() {
    timed_out = true;
    if (results.count(late_tag_) == 0) host.HandleTimeout(late_tag_);
  }

  void Drain() {
    bool idle = false;
    while (!idle) {
      idle = true;
      EndAborts();
      while (const auto action = device.Poll()) {
        std::visit([this](const auto& what) { Do(what); }, *action);
        idle = false;
      }
      for (HostAction action = host.Poll(); action.kind != Kind::kNone; action = host.Poll()) {
        Do(action);
        idle = false;
      }
    }
  }

  void Do(const HostAction& action) {
    switch (action.kind) {
      case Kind::kNone: break;
      case Kind::kReadStatus:
        if (streams_) {
          BOOST_REQUIRE(read_streams_.insert({action.tag, true}).second);
        } else {
          ++reads_;
        }
        break;
      case Kind::kMoveData: host_data_[action.in ? 0 : 1].push_back(action.tag); break;
      case Kind::kSendIu: ius_.push_back(action.tag); break;
      case Kind::kCancelIu:
        if (std::erase(ius_, action.tag) == 0) break;
        cancelled_.push_back(
            [this, tag = action.tag] { host.HandleIuSent(tag, Outcome::kCancelled, 0); });
        break;
      case Kind::kCancelData:
        if (std::erase(host_data_[0], action.tag) + std::erase(host_data_[1], action.tag) == 0) {
          break;
        }
        cancelled_.push_back(
            [this, tag = action.tag] { host.HandleData(tag, Outcome::kCancelled, 0); });
        break;
      case Kind::kCancelStatus: CancelStatus(action.tag); break;
      case Kind::kResetPort: ResetPort(); break;
      case Kind::kReopen: BOOST_REQUIRE(action.kind != Kind::kReopen); break;
      case Kind::kFinished:
        results[action.tag] = host.result(action.tag);
        host.Release(action.tag);
        break;
    }
  }
  void CancelStatus(uint16_t tag) {
    if (tag != 0 && read_streams_.erase(tag) == 0) return;
    const unsigned count = tag != 0 ? 1 : std::exchange(reads_, 0u);
    for (unsigned read = 0; read < count; ++read) {
      cancelled_.push_back([this, tag] { host.HandleStatus(tag, Outcome::kCancelled, {}); });
    }
  }
  void ResetPort() {
    ++port_resets;
    BOOST_REQUIRE(ius_.empty());
    BOOST_REQUIRE(read_streams_.empty());
    BOOST_REQUIRE(reads_ == 0u);
    for (const int out : {0, 1}) {
      BOOST_REQUIRE(host_data_[out].empty());
      device_data_[out].clear();
    }
    statuses_.clear();
    executing_.clear();
    aborting_.clear();
    receiving_ = false;
    device.HandleEnabled(host.options().streams_count);
    host.HandleRecovered(Outcome::kOk);
  }

  void Do(const ReceiveIu&) { receiving_ = true; }
  void Do(const HaltCommandPipe&) { BOOST_REQUIRE(false); }
  void Do(const Execute& action) { executing_.push_back(action.task); }
  void Do(const SendReady& action) {
    statuses_.push_back({Iu(action.write ? 7 : 6, TagOf(action.task), 4), action.task});
  }
  void Do(const SendData& action) { device_data_[0].push_back(action.task); }
  void Do(const EndData&) { BOOST_REQUIRE(false); }
  void Do(const ReceiveData& action) { device_data_[1].push_back(action.task); }
  void Do(const AbortCommand&) { BOOST_REQUIRE(false); }
  void Do(const AbortTask& action) {
    std::erase(executing_, action.task);
    for (auto& data : device_data_) std::erase(data, action.task);
    if (streams_) {
      std::erase_if(statuses_, [&](const Status& one) { return one.task == action.task; });
    }
    aborting_[action.task] = true;
  }
  // Without streams a status that is with the controller cannot be taken back.
  void EndAborts() {
    for (auto place = aborting_.begin(); place != aborting_.end();) {
      const uint8_t task = place->first;
      const bool out = std::any_of(statuses_.begin(), statuses_.end(),
                                   [&](const Status& one) { return one.task == task; });
      if (out) {
        ++place;
        continue;
      }
      place = aborting_.erase(place);
      device.HandleAborted(task);
    }
  }
  void Do(const SendStatus& action) {
    statuses_.push_back({Iu(3, TagOf(action.task), 16), action.task});
  }
  void Do(const ResetUnit&) {}
  void Do(const SendReply& action) {
    std::vector<uint8_t> iu = Iu(4, action.tag, 8);
    iu[7] = static_cast<uint8_t>(action.code);
    statuses_.push_back({iu, std::nullopt, action.reply});
  }
  void Do(const TakeBackReply& action) {
    for (auto status = statuses_.begin(); status != statuses_.end(); ++status) {
      if (status->task || TagOf(*status) != action.tag) continue;
      device.HandleReplySent(status->reply);
      statuses_.erase(status);
      return;
    }
    BOOST_FAIL("nothing is there to be taken back");
  }
  static std::vector<uint8_t> Iu(uint8_t id, uint16_t tag, size_t length) {
    std::vector<uint8_t> iu(length, 0);
    iu[0] = id;
    iu[3] = static_cast<uint8_t>(tag);
    return iu;
  }

  Chooser& chooser_;
  const bool streams_;
  uint16_t late_tag_ = 0;
  // The host's transfers, and what has happened to them but not been told yet.
  std::deque<uint16_t> ius_;
  std::deque<uint16_t> host_data_[2];
  unsigned reads_ = 0;
  std::map<uint16_t, bool> read_streams_;
  std::deque<Event> sent_, moved_[2], cancelled_;
  // The device's requests, and its unit.
  bool receiving_ = false;
  std::deque<Status> statuses_;
  std::deque<uint8_t> device_data_[2];
  std::vector<uint8_t> executing_;
  std::map<uint8_t, bool> aborting_;
};

// Every order for these two commands. Returns how many there are.
template <class Check>
uint64_t TryAll(uint16_t streams_count, std::array<uint8_t, 2> opcodes, bool late, Check check) {
  sim::Exhaustive chooser;
  do {
    Pair pair(chooser, streams_count);
    const uint16_t first = pair.Start(opcodes[0]);
    pair.Start(opcodes[1]);
    if (late) pair.MayTimeOut(first);
    pair.Run();
    BOOST_REQUIRE(pair.results.size() == 2u);
    BOOST_REQUIRE(pair.quiet());
    check(pair);
  } while (chooser.Next());
  return chooser.count();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(uas_pair)

BOOST_AUTO_TEST_CASE(two_commands_pass_in_every_order) {
  for (const uint16_t streams_count : std::initializer_list<uint16_t>{0, 4}) {
    for (const std::array<uint8_t, 2> opcodes : {std::array<uint8_t, 2>{kRead, kRead},
                                                 {kRead, kWrite},
                                                 {kWrite, kWrite},
                                                 {kRead, kNone}}) {
      const uint64_t count = TryAll(streams_count, opcodes, false, [](const Pair& pair) {
        for (const auto& [tag, result] : pair.results) {
          BOOST_REQUIRE(!result.error);
          BOOST_REQUIRE(result.status == 0);
        }
      });
      BOOST_TEST(count > 100u);
      BOOST_TEST_MESSAGE(streams_count << " streams: " << count << " orders");
    }
  }
}

// The late command ends late, or well where it was faster. The other one passes, except where the
// port had to be reset for the sake of a shared pipe.
BOOST_AUTO_TEST_CASE(a_command_may_be_late_at_any_moment) {
  for (const uint16_t streams_count : std::initializer_list<uint16_t>{0, 4}) {
    uint64_t aborted_count = 0;
    const std::array<uint8_t, 2> opcodes{kRead, streams_count == 0 ? kRead : kNone};
    const uint64_t count = TryAll(streams_count, opcodes, true, [&](const Pair& pair) {
      const HostResult& late = pair.results.at(1);
      const HostResult& other = pair.results.at(2);
      if (late.error) {
        BOOST_REQUIRE(late.error->kind == ErrorKind::kTimedOut);
        ++aborted_count;
      }
      BOOST_REQUIRE((!other.error || pair.port_resets == 1));
      BOOST_REQUIRE((streams_count == 0 || pair.port_resets == 0));
    });
    BOOST_TEST(aborted_count > 100u);
    BOOST_TEST_MESSAGE(streams_count << " streams: " << count << " orders, " << aborted_count
                                     << " late");
  }
}

BOOST_AUTO_TEST_SUITE_END()
