package com.example.modular;

import io.crossload.junit.ConformsTo;

@ConformsTo("model")
class AnswersTest {}
