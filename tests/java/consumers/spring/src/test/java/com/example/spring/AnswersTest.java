package com.example.spring;

import io.crossload.junit.ConformsTo;

@ConformsTo("model")
class AnswersTest {}
