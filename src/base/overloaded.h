// Overloaded{lambda, lambda, ...} makes one visitor for std::visit of them; the compiler then finds
// the alternative that nobody handles.
#pragma once

namespace usbtwin {

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <class... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

}  // namespace usbtwin
