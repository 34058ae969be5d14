#ifndef DECLARED_MICRO_ALLOCATOR_H
#define DECLARED_MICRO_ALLOCATOR_H

#include <cstddef>
#include <cstdint>

namespace tflite {
enum class MemoryPlannerType { kLinear, kGreedy };
class MicroAllocator {
 public:
    static MicroAllocator *Create(uint8_t *tensor_arena, size_t arena_size, MemoryPlannerType memory_planner_type = MemoryPlannerType::kGreedy);
};
}  // namespace tflite

#endif
