/* Only releases before micro_log.h have it. */
#ifndef DECLARED_MICRO_ERROR_REPORTER_H
#define DECLARED_MICRO_ERROR_REPORTER_H

namespace tflite {
class ErrorReporter {};
class MicroErrorReporter : public ErrorReporter {};
}  // namespace tflite

#endif
