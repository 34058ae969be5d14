package com.example.plain;

import io.crossload.junit.ConformsTo;

@ConformsTo("model")
class AnswersTest {}
