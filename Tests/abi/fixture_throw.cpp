// The C++ half of CASE_SCORE_THROW.
#include <stdexcept>
extern "C" __attribute__((visibility("hidden"))) void fixture_throw() { throw std::runtime_error("from a plugin"); }
