// The pipes of one bulk or interrupt endpoint: a single one and, where the endpoint has streams,
// one for each of them, made when it is first used and kept, because a loan may outlast a setting.
// A halt concerns all of them. USB 3.2, 8.12.1.4. The virtual controller keeps one of these for
// each endpoint; which streams the host has been granted is its business.
#pragma once

#include <memory>
#include <vector>

#include "proto/pipe_match.h"

namespace usbtwin::emulator {

template <class Pipe>
class StreamPipes {
 public:
  explicit StreamPipes(Clock& clock) : clock_(clock), single_(clock) {}

  // Not halted; while nothing is queued.
  void Enable(uint16_t packet_size_max, uint16_t streams_max) {
    packet_size_max_ = packet_size_max;
    streams_max_ = streams_max;
    if (pipes_.size() < streams_max) pipes_.resize(streams_max);
    ForEach([packet_size_max](Pipe& pipe) { pipe.set_packet_size_max(packet_size_max); });
    SetHalt(false);
  }

  // `stream_id` 0: the endpoint itself. Null for a stream that it does not have.
  Pipe* Find(uint16_t stream_id) {
    if (stream_id == 0) return &single_;
    if (stream_id > streams_max_) return nullptr;
    std::unique_ptr<Pipe>& pipe = pipes_[stream_id - 1u];
    if (pipe == nullptr) {
      pipe = std::make_unique<Pipe>(clock_);
      pipe->set_packet_size_max(packet_size_max_);
      pipe->SetHalt(halted_);
    }
    return pipe.get();
  }

  // One that was found before, also in an earlier setting.
  Pipe* Kept(uint16_t stream_id) {
    return stream_id == 0 ? &single_ : pipes_[stream_id - 1u].get();
  }

  void SetHalt(bool halted) {
    halted_ = halted;
    ForEach([halted](Pipe& pipe) { pipe.SetHalt(halted); });
  }
  void EndTransfers(usb::Outcome outcome) {
    ForEach([outcome](Pipe& pipe) { pipe.EndTransfers(outcome); });
  }
  void EndRequests(usb::Outcome outcome) {
    ForEach([outcome](Pipe& pipe) { pipe.EndRequests(outcome); });
  }

 private:
  template <class Use>
  void ForEach(Use use) {
    use(single_);
    for (const auto& pipe : pipes_) {
      if (pipe != nullptr) use(*pipe);
    }
  }

  Clock& clock_;
  Pipe single_;
  std::vector<std::unique_ptr<Pipe>> pipes_;  // by stream, from 1 on
  uint16_t packet_size_max_ = 1;
  uint16_t streams_max_ = 0;
  bool halted_ = false;
};

}  // namespace usbtwin::emulator
