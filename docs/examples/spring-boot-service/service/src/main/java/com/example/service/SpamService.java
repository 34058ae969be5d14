package com.example.service;

import com.example.spam.SpamClient;
import io.crossload.Options;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

/** Answers POST /spam: the body is rows of word ids, the answer a probability for each. */
@SpringBootApplication
@RestController
public class SpamService {
    public static void main(String[] args) {
        SpringApplication.run(SpamService.class, args);
    }

    /** The model, which lies in the client's jar inside this one. Spring closes it. */
    @Bean
    static SpamClient model() {
        return SpamClient.openFromJar(Options.DEFAULTS);
    }

    private final SpamClient model;

    SpamService(SpamClient model) {
        this.model = model;
    }

    @PostMapping("/spam")
    float[] spam(@RequestBody int[][] words) {
        return model.servingDefault(new SpamClient.ServingDefaultInputs(words)).spam();
    }

    /** Rows of several lengths. */
    @ExceptionHandler(IllegalArgumentException.class)
    @ResponseStatus(HttpStatus.BAD_REQUEST)
    String refused(IllegalArgumentException error) {
        return error.getMessage();
    }
}
