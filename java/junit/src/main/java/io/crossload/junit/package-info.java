/** JUnit 5: {@link io.crossload.junit.ConformsTo} turns the vectors of a bundle into tests. */
package io.crossload.junit;
