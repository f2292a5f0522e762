#include "proto/pipe_match.h"

#include <algorithm>

#include "base/canary.h"

namespace usbtwin::proto {

using usb::InRequest;
using usb::Outcome;
using usb::OutRequest;
using usb::Transfer;

void PipeTransfers::Finish(Transfer& transfer, Outcome outcome) {
  transfer.outcome = outcome;
  transfer.Unlink();
  clock_.Post(transfer);
}

void PipeTransfers::FinishRequest(InRequest& request, Outcome outcome, bool ended_short) {
  request.data.Reset();
  request.outcome = outcome;
  request.ended_short = ended_short;
  request.Unlink();
  clock_.Post(request);
}

void PipeTransfers::FinishRequest(OutRequest& request, Outcome outcome, bool ended_short) {
  request.outcome = outcome;
  request.ended_short = ended_short;
  request.Unlink();
  clock_.Post(request);
}

void InPipe::Submit(Transfer& transfer) {
  transfers_.PushBack(transfer);
  if (!halted_) return Match();
  if (&transfers_.front() == &transfer) Finish(transfer, Outcome::kStall);
}

void InPipe::Cancel(Transfer& transfer) {
  if (canary::Planted(canary::Canary::kLostCancel)) return;
  if (transfer.outcome == Outcome::kPending) Finish(transfer, Outcome::kCancelled);
}

void InPipe::EndTransfers(Outcome outcome) {
  while (!transfers_.empty()) Finish(transfers_.front(), outcome);
}

void InPipe::Queue(InRequest& request) {
  CHECK(!request.queued);
  request.queued = true;
  request.length_actual = 0;
  requests_.PushBack(request);
  Match();
}

void InPipe::EndRequests(Outcome outcome) {
  while (!requests_.empty()) FinishRequest(requests_.front(), outcome, false);
}

void InPipe::SetHalt(bool halted) {
  halted_ = halted;
  if (!halted_) return Match();
  if (!transfers_.empty()) Finish(transfers_.front(), Outcome::kStall);
}

void InPipe::Move(Transfer& transfer, InRequest& request, uint32_t length) {
  if (transfer.in.empty()) {
    if (length != 0) transfer.lease.AppendOrCopy(request.data.Slice(request.length_actual, length));
  } else {
    request.data.CopyTo(transfer.in.subspan(transfer.length_actual, length), request.length_actual);
  }
  transfer.length_actual += length;
  request.length_actual += length;
}

void InPipe::Match() {
  while (!halted_ && !transfers_.empty() && !requests_.empty()) {
    Transfer& transfer = transfers_.front();
    InRequest& request = requests_.front();
    const uint32_t left = request.data.length() - request.length_actual;
    const uint32_t room = transfer.in_length_max - transfer.length_actual;
    if (left > room) {
      const uint32_t whole = room - room % packet_size_max_;
      Move(transfer, request, whole);
      if (whole == room) {
        Finish(transfer, Outcome::kOk);
      } else {
        // The next packet is longer than what is left of the host's room: babble.
        FinishRequest(request, Outcome::kOverflow, true);
        Finish(transfer, Outcome::kOverflow);
      }
      continue;
    }
    Move(transfer, request, left);
    const bool short_packet = left % packet_size_max_ != 0 || left == 0;
    if (!short_packet && !request.ends_short) {
      FinishRequest(request, Outcome::kOk, false);
      if (left == room) Finish(transfer, Outcome::kOk);
    } else if (!short_packet && left == room) {
      Finish(transfer, Outcome::kOk);  // the zero-length packet answers the next transfer
    } else {
      const bool missing = transfer.length_actual != transfer.in_length_max;
      FinishRequest(request, Outcome::kOk, true);
      Finish(transfer, missing && transfer.flags.short_not_ok ? Outcome::kFault : Outcome::kOk);
    }
  }
}

void OutPipe::Submit(Transfer& transfer) {
  transfers_.PushBack(transfer);
  if (!halted_) return Match();
  if (&transfers_.front() == &transfer) Finish(transfer, Outcome::kStall);
}

void OutPipe::Cancel(Transfer& transfer) {
  if (transfer.outcome != Outcome::kPending || after_loan_ == Outcome::kDisconnected) return;
  if (borrower_ != nullptr && &transfers_.front() == &transfer) {
    after_loan_ = Outcome::kCancelled;
    return;
  }
  Finish(transfer, Outcome::kCancelled);
}

void OutPipe::EndTransfers(Outcome outcome) {
  if (after_loan_ == Outcome::kDisconnected) return;
  if (borrower_ != nullptr) after_loan_ = outcome;
  // Only what was cancelled may overtake the transfer that is lent.
  if (after_loan_ == Outcome::kDisconnected) return;
  Transfer* transfer = transfers_.empty() ? nullptr : &transfers_.front();
  if (borrower_ != nullptr) transfer = transfers_.next(*transfer);
  while (transfer != nullptr) {
    Transfer* following = transfers_.next(*transfer);
    Finish(*transfer, outcome);
    transfer = following;
  }
}

void OutPipe::Queue(OutRequest& request) {
  CHECK(!request.queued);
  CHECK(borrower_ != &request);
  CHECK_NE(request.length_max, 0u);
  CHECK(request.room.empty() || request.room.size() == request.length_max);
  request.queued = true;
  request.length_actual = 0;
  request.lent = {};
  requests_.PushBack(request);
  Match();
}

void OutPipe::EndRequests(Outcome outcome) {
  while (!requests_.empty()) FinishRequest(requests_.front(), outcome, false);
}

void OutPipe::Release(OutRequest& request) {
  CHECK(borrower_ == &request);
  borrower_ = nullptr;
  request.lent = {};
  Transfer& transfer = transfers_.front();
  const Outcome outcome = std::exchange(after_loan_, Outcome::kPending);
  if (outcome == Outcome::kDisconnected) return EndTransfers(outcome);
  // A transfer that was all lent has been sent, whatever was asked of it meanwhile.
  FinishIfSent(transfer);
  if (transfer.outcome == Outcome::kPending && outcome != Outcome::kPending) {
    Finish(transfer, outcome);
  } else if (transfer.outcome == Outcome::kPending && halted_) {
    Finish(transfer, Outcome::kStall);
  }
  Match();
}

void OutPipe::SetHalt(bool halted) {
  halted_ = halted;
  if (!halted_) return Match();
  if (borrower_ == nullptr && !transfers_.empty()) Finish(transfers_.front(), Outcome::kStall);
}

void OutPipe::Match() {
  while (!halted_ && borrower_ == nullptr && !transfers_.empty() && !requests_.empty()) {
    Transfer& transfer = transfers_.front();
    OutRequest& request = requests_.front();
    if (transfer.length_actual == transfer.out.size()) {
      // All bytes have gone: what is left is the packet of no bytes that ends the transfer.
      FinishRequest(request, Outcome::kOk, true);
      Finish(transfer, Outcome::kOk);
    } else if (request.room.empty()) {
      Lend(transfer, request);
    } else {
      Fill(transfer, request);
    }
  }
}

void OutPipe::FinishIfSent(Transfer& transfer) {
  const bool sent = transfer.length_actual == transfer.out.size();
  const bool zero_packet_left =
      transfer.flags.zero_packet && transfer.out.size() % packet_size_max_ == 0;
  if (sent && !zero_packet_left) Finish(transfer, Outcome::kOk);
}

void OutPipe::Fill(Transfer& transfer, OutRequest& request) {
  const auto left = static_cast<uint32_t>(transfer.out.size()) - transfer.length_actual;
  const uint32_t room = request.length_max - request.length_actual;
  const uint32_t length = std::min(left, room);
  CopyBytes(request.room.subspan(request.length_actual),
            transfer.out.subspan(transfer.length_actual, length));
  request.length_actual += length;
  if (left > room && room % packet_size_max_ != 0) {
    // The packet that does not fit was taken from the bus; what is beyond the room is lost.
    const uint32_t packets = (room + packet_size_max_ - 1) / packet_size_max_;
    transfer.length_actual += std::min(left, packets * packet_size_max_);
    FinishRequest(request, Outcome::kOverflow, true);
    return FinishIfSent(transfer);
  }
  transfer.length_actual += length;
  const bool short_packet = length == left && left % packet_size_max_ != 0;
  const bool full = length == room;
  if (short_packet || full) FinishRequest(request, Outcome::kOk, short_packet);
  FinishIfSent(transfer);
}

void OutPipe::Lend(Transfer& transfer, OutRequest& request) {
  const auto left = static_cast<uint32_t>(transfer.out.size()) - transfer.length_actual;
  uint32_t length = std::min(left, request.length_max);
  bool overflow = false;
  uint32_t taken = length;
  if (length < left && length % packet_size_max_ != 0) {
    // The last packet reaches beyond what was asked for: its end is lost.
    const uint32_t packets = (length + packet_size_max_ - 1) / packet_size_max_;
    taken = std::min(left, packets * packet_size_max_);
    overflow = true;
  }
  request.lent = transfer.out.subspan(transfer.length_actual, length);
  request.length_actual = length;
  transfer.length_actual += taken;
  borrower_ = &request;
  const bool short_packet = !overflow && length == left && left % packet_size_max_ != 0;
  FinishRequest(request, overflow ? Outcome::kOverflow : Outcome::kOk, overflow || short_packet);
}

}  // namespace usbtwin::proto
